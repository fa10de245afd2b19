import { judgeStarts, limitedToken } from "../authorization/judge-start.ts";
import { idTokenInfo, readTokenStatuses, type TokenStatus } from "../authorization/token-status.ts";
import type { Sql } from "../database.ts";
import { storableJson } from "../message-log/storable-text.ts";
import { parseExactJson } from "../transactions/exact-json.ts";
import { inRounds } from "../transactions/in-rounds.ts";
import { type QuarantinedMessage, quarantine } from "../transactions/quarantine.ts";
import { recordTransactionEvents } from "../transactions/record-events.ts";
import { type EventMessage, isTokenOfEnd, readEvent } from "../transactions/transaction-messages.ts";
import { asQuarantined } from "./decide-transaction.ts";
import { answered, type Question, type SharedStep } from "./decision.ts";

interface AskedEvent {
  question: Question;
  event: EventMessage;
  /** As it is stored. */
  payload: string;
}

/** TransactionEvent (P2 E01 to E07) that starts or ends a transaction or brings a token. */
export const decideTransactionEvent: SharedStep = {
  writes: true,
  async decide(questions, sql) {
    const asked: AskedEvent[] = [];
    const aside: QuarantinedMessage[] = [];
    for (const question of questions) {
      const event = readEvent(parseExactJson(question.payloadText));
      if (event === undefined) aside.push(asQuarantined(question, "cannot be read"));
      else asked.push({ question, event, payload: storableJson(question.payloadText) });
    }
    const answers = await answerEvents(sql, asked, aside);
    await quarantine(sql, aside);
    return questions.map((question) => answered(answers.get(question) ?? {}));
  },
};

async function answerEvents(
  sql: Sql,
  asked: readonly AskedEvent[],
  aside: QuarantinedMessage[],
): Promise<Map<Question, object>> {
  const answers = new Map<Question, object>();
  const filed = await findFiled(sql, asked);
  const fresh: AskedEvent[] = [];
  for (const [place, one] of asked.entries()) {
    const known = filed[place];
    if (known?.same === true && known.answer !== null) answers.set(one.question, known.answer);
    else fresh.push(one);
  }
  const statuses = await readTokenStatuses(sql, fresh.map(tokenOf));
  const judgeable = fresh.map((one, index) => ({ ...one, status: statuses[index] as TokenStatus }));
  // With a limited token the second start counts the first, so that has to be on record.
  const limited = (one: (typeof judgeable)[number]) =>
    isStart(one.event) ? limitedToken(tokenOf(one), one.status) : undefined;
  for (const round of inRounds(judgeable, limited)) {
    const judged = await judge(sql, round);
    const received = round.map(({ question, event, payload }) => {
      const { station, version, receivedAt } = question;
      return {
        question,
        station,
        ocppVersion: version,
        event,
        receivedAt,
        payload,
        answer: judged.get(question) ?? {},
      };
    });
    for (const { question, answer } of received) answers.set(question, answer);
    const displaced = await recordTransactionEvents(sql, received);
    aside.push(...displaced.map(({ question }) => asQuarantined(question, "another event has this seqNo")));
  }
  await fillAnswers(
    sql,
    asked.filter((_, place) => filed[place]?.same === true && filed[place].answer === null),
    answers,
  );
  return answers;
}

/** What the token is for. An event without one, or with one that nobody has to judge, asks for a token that nobody has. */
const tokenOf = ({ question, event }: AskedEvent) => ({
  orgId: question.station.orgId,
  token: isJudged(event) ? event.idToken : "",
});

/** Nothing to judge (P2 C02): the station lets everybody charge. */
const isJudged = (event: EventMessage): event is EventMessage & { idToken: string } =>
  event.idToken !== null && event.idTokenType !== "NoAuthorization";

const isStart = (event: EventMessage): boolean => isJudged(event) && !isTokenOfEnd(event);

/** What the stations are told of these events' tokens. */
async function judge(
  sql: Sql,
  asked: readonly (AskedEvent & { status: TokenStatus })[],
): Promise<Map<Question, object>> {
  const starting = asked.filter(({ event }) => isStart(event));
  const judged = await judgeStarts(
    sql,
    starting.map((one) => ({
      ...tokenOf(one),
      own: { stationId: one.question.station.id, transactionId: one.event.transactionId },
    })),
    starting.map(({ status }) => status),
  );
  const statuses = new Map(starting.map(({ question }, index) => [question, judged[index] as TokenStatus]));
  return new Map(
    asked.map(({ question, event, status }) => {
      if (isJudged(event)) return [question, { idTokenInfo: idTokenInfo(statuses.get(question) ?? status) }];
      return [question, event.idToken === null ? {} : { idTokenInfo: { status: "Accepted" } }];
    }),
  );
}

interface FiledEvent {
  place: string;
  answer: object | null;
  /** It is this very event. */
  same: boolean;
}

/** Which events hold the places of these, in their order. */
async function findFiled(sql: Sql, asked: readonly AskedEvent[]): Promise<(FiledEvent | undefined)[]> {
  const filed: (FiledEvent | undefined)[] = asked.map(() => undefined);
  const rows = await sql.query<FiledEvent>(
    `select a.place, e.answer, e.payload = a.payload as same
     from unnest($1::bigint[], $2::text[], $3::int[], $4::jsonb[]) with ordinality as a (station_id, transaction_id, seq_no, payload, place)
     join transaction_events e using (station_id, transaction_id, seq_no)`,
    [...keysOf(asked), asked.map(({ payload }) => payload)],
  );
  for (const row of rows) filed[Number(row.place) - 1] = row;
  return filed;
}

/** Of events that the intake filed after the gateway had answered them alone, and that answer never arrived. */
async function fillAnswers(sql: Sql, asked: readonly AskedEvent[], answers: ReadonlyMap<Question, object>) {
  if (asked.length === 0) return;
  await sql.query(
    `update transaction_events e set answer = a.answer
     from unnest($1::bigint[], $2::text[], $3::int[], $4::jsonb[]) as a (station_id, transaction_id, seq_no, answer)
     where (e.station_id, e.transaction_id, e.seq_no) = (a.station_id, a.transaction_id, a.seq_no) and e.answer is null`,
    [...keysOf(asked), asked.map(({ question }) => JSON.stringify(answers.get(question) ?? {}))],
  );
}

const keysOf = (asked: readonly AskedEvent[]) => [
  asked.map(({ question }) => question.station.id),
  asked.map(({ event }) => event.transactionId),
  asked.map(({ event }) => event.seqNo),
];
