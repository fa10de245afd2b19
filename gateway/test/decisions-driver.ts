// The gateway's side of what local/bench/rows/decisions.ts measures, in a process of its own: asks over the gateway's own
// stream, or in one unary call after the other. Orders and figures are messages of the parent.
import {
  type DecideRequest,
  type DecideResponse,
  type StationCall,
  StationDecisionsServiceService,
} from "@dynamo-csms/proto/generated/station_decisions";
import { Client, credentials } from "@grpc/grpc-js";
import { pino } from "pino";
import { createDecisionsClient } from "../inbound/decisions-client.ts";

export interface DriveOrder {
  way: "stream" | "unary";
  /** Charge points that ask; each has one question open at a time. On the unary way one of them all. */
  identities: readonly string[];
  /** Turns of each charge point: Authorize, then StartTransaction, then, unmeasured, StopTransaction. */
  turns: number;
}

export interface DriveFigures {
  decisions: number;
  seconds: number;
  /** From question to answer. */
  p50Ms: number;
  /** Authorize or StartTransaction that was not answered with Accepted. */
  refused: number;
}

const [, , streamAddress = "", unaryAddress = ""] = process.argv;
const TIMEOUT_MS = 30_000;

const stream = createDecisionsClient({ address: streamAddress, log: pino({ level: "error" }) });
const unary = new Client(unaryAddress, credentials.createInsecure());
const { requestSerialize, responseDeserialize } = StationDecisionsServiceService.decide;

async function askStream(call: StationCall): Promise<string> {
  const decision = await stream.decide(call, TIMEOUT_MS);
  if (decision.kind !== "result") throw new Error(`${call.action}: ${JSON.stringify(decision)}`);
  return decision.payload;
}

const askUnary = (call: StationCall): Promise<string> =>
  new Promise((resolve, reject) =>
    unary.makeUnaryRequest<DecideRequest, DecideResponse>(
      "/dynamo.decisions.v1.UnaryDecisions/DecideOne",
      requestSerialize,
      responseDeserialize,
      { requestId: 1, deadlineMs: TIMEOUT_MS, question: { $case: "call", value: call } },
      (fault, response) =>
        response?.answer?.$case === "result"
          ? resolve(response.answer.value.payload)
          : reject(fault ?? new Error(`${call.action}: ${JSON.stringify(response?.answer)}`)),
    ),
  );

let seq = 0;
const startedAtMs = Date.now();

async function drive({ way, identities, turns }: DriveOrder): Promise<DriveFigures> {
  const ask = way === "stream" ? askStream : askUnary;
  const times: number[] = [];
  let refused = 0;
  const askOf = async (identity: string, action: string, payload: object): Promise<Record<string, unknown>> => {
    seq += 1;
    const call: StationCall = {
      identity,
      epoch: startedAtMs,
      seq,
      receivedAtMs: Date.now(),
      ocppVersion: "1.6",
      messageId: `m${seq}`,
      action,
      payload: JSON.stringify(payload),
      nodeId: "bench",
    };
    return JSON.parse(await ask(call)) as Record<string, unknown>;
  };
  const timed = async (...asked: Parameters<typeof askOf>) => {
    const askedAtMs = performance.now();
    const answer = await askOf(...asked);
    times.push(performance.now() - askedAtMs);
    if ((answer["idTagInfo"] as { status?: string } | undefined)?.status !== "Accepted") refused += 1;
    return answer;
  };
  const running: { identity: string; transactionId: unknown }[] = [];
  const turn = async (identity: string) => {
    const idTag = `TAG-${identity}`;
    await timed(identity, "Authorize", { idTag });
    const timestamp = new Date(startedAtMs + seq).toISOString();
    const { transactionId } = await timed(identity, "StartTransaction", {
      connectorId: 1,
      idTag,
      meterStart: 0,
      timestamp,
    });
    running.push({ identity, transactionId });
  };

  let seconds = 0;
  for (let n = 0; n < turns; n += 1) {
    const beganMs = performance.now();
    if (way === "stream") await Promise.all(identities.map(turn));
    else for (const identity of identities) await turn(identity);
    seconds += (performance.now() - beganMs) / 1_000;
    const stops = running.splice(0).map(({ identity, transactionId }) =>
      askStream({
        identity,
        epoch: startedAtMs,
        seq: ++seq,
        receivedAtMs: Date.now(),
        ocppVersion: "1.6",
        messageId: `m${seq}`,
        action: "StopTransaction",
        payload: JSON.stringify({ transactionId, meterStop: 10, timestamp: new Date().toISOString() }),
        nodeId: "bench",
      }),
    );
    await Promise.all(stops);
  }
  const sorted = times.toSorted((a, b) => a - b);
  return { decisions: times.length, seconds, p50Ms: sorted[sorted.length >> 1] ?? 0, refused };
}

process.on("message", (order: DriveOrder) => {
  drive(order).then(
    (figures) => process.send?.(figures),
    (fault: unknown) => process.send?.({ fault: String(fault) }),
  );
});
process.on("disconnect", () => process.exit());
process.send?.("ready");
