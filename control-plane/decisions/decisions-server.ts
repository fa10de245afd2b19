import {
  type DecideRequest,
  type DecideResponse,
  type StationCall,
  type StationDecisionsServiceServer,
  StationDecisionsServiceService,
} from "@dynamo-csms/proto/generated/station_decisions";
import { Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import type { Logger } from "pino";
import { mayWaitForOthers } from "../certificates/certificate-decisions.ts";
import { type Answer, unavailable } from "./answer.ts";
import type { BoundedWork } from "./bounded-work.ts";
import { decideCall, lookUpStation } from "./decide-call.ts";
import { decideTogether, isShared } from "./decide-shared.ts";
import type { DecisionDeps } from "./decision.ts";
import type { DecisionsMetrics } from "./decisions-metrics.ts";
import { QuestionBatches } from "./question-batches.ts";

export interface DecisionsServerDeps extends DecisionDeps {
  work: BoundedWork;
  /** Questions decided together, at most. */
  maxBatch?: number;
  /** For what may wait for somebody else's server (certificate-decisions.ts). Default: `work`. */
  outsideWork?: BoundedWork;
  /** Mutual TLS, PEM; without it the server is plain (one machine). */
  tls?: { ca: Buffer; certificate: Buffer; key: Buffer };
  metrics: DecisionsMetrics;
  log: Logger;
}

export interface DecisionsServer {
  /** Questions that are being decided or wait for their turn. */
  readonly openQuestions: number;
  /** Resolves to the port that is listened on. */
  listen(address: string): Promise<number>;
  /** Takes no more questions, answers those in hand, and ends the streams: the gateways go to another process, or wait. */
  stop(): Promise<void>;
}

type Stream = ServerDuplexStream<DecideRequest, DecideResponse>;

/** A gateway names a deadline of seconds; this is the wall behind a gateway that names none. */
const MAX_DEADLINE_MS = 30_000;
/** How long streams may take to end once everything is answered. */
const END_MS = 2_000;

/** One is in Postgres while the next gathers; more of them would be smaller, and cost more for each question. */
const PARALLEL_BATCHES = 2;
/** Beyond it a batch takes longer without costing less for each question. */
const MAX_BATCH = 256;
/** What can be decided within the seconds that the gateways wait. */
const WAITING_QUESTIONS = 8_000;

type Batches = QuestionBatches<StationCall, Answer>;

/** Answers the gateways' questions, in any order. One stream per gateway process. */
export function createDecisionsServer(deps: DecisionsServerDeps): DecisionsServer {
  const batches: Batches = new QuestionBatches({
    work: deps.work,
    parallel: PARALLEL_BATCHES,
    maxBatch: deps.maxBatch ?? MAX_BATCH,
    waiting: WAITING_QUESTIONS,
    decideTogether: (calls) => decideTogether(calls, deps),
    decideAlone: (call) => decideCall(call, deps),
    onBatch: (questions) => deps.metrics.batch.observe(questions),
  });
  const server = new Server({ "grpc.keepalive_time_ms": 10_000, "grpc.keepalive_timeout_ms": 5_000 });
  const streams = new Set<Stream>();
  const inHand = new Set<Promise<void>>();
  let stopping = false;

  function answer(stream: Stream, request: DecideRequest): Promise<void> {
    const answerOf = stopping
      ? async () => unavailable("the process stops")
      : (giveUpAtMs: number) => decide(request, giveUpAtMs, batches, deps);
    return answerInTime(request, answerOf, deps).then((response) => {
      // A stream that broke meanwhile: the question comes again, and gets the same answer.
      if (streams.has(stream)) stream.write(response);
    });
  }

  const service: StationDecisionsServiceServer = {
    decide(stream: Stream) {
      streams.add(stream);
      deps.metrics.streams.set(streams.size);
      const gone = () => {
        streams.delete(stream);
        deps.metrics.streams.set(streams.size);
      };
      stream.on("data", (request: DecideRequest) => {
        const answering = answer(stream, request);
        inHand.add(answering);
        void answering.finally(() => inHand.delete(answering));
      });
      stream.on("error", gone);
      stream.on("cancelled", gone);
      stream.on("end", () => {
        gone();
        stream.end();
      });
    },
  };
  server.addService(StationDecisionsServiceService, service);

  return {
    get openQuestions() {
      return inHand.size;
    },
    listen: (address) =>
      new Promise((resolve, reject) => {
        const { tls } = deps;
        const credentials =
          tls === undefined
            ? ServerCredentials.createInsecure()
            : ServerCredentials.createSsl(tls.ca, [{ cert_chain: tls.certificate, private_key: tls.key }], true);
        server.bindAsync(address, credentials, (error, port) => (error === null ? resolve(port) : reject(error)));
      }),
    async stop() {
      stopping = true;
      await Promise.all(inHand);
      for (const stream of streams) stream.end();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => {
          server.forceShutdown();
          resolve();
        }, END_MS);
        server.tryShutdown(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    },
  };
}

/** The answer, or "unavailable" when it takes longer than the gateway waits: the work goes on, for the next time it asks. */
async function answerInTime(
  request: DecideRequest,
  answerOf: (giveUpAtMs: number) => Promise<Answer | undefined>,
  deps: DecisionsServerDeps,
): Promise<DecideResponse> {
  const end = deps.metrics.duration.startTimer();
  const deadlineMs = Math.min(request.deadlineMs > 0 ? request.deadlineMs : MAX_DEADLINE_MS, MAX_DEADLINE_MS);
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<Answer>(
    (resolve) => (timer = setTimeout(resolve, deadlineMs, unavailable("no decision in time"))),
  );
  const answer = await Promise.race([answerOf(performance.now() + deadlineMs), tooLate]);
  clearTimeout(timer);
  const outcome = answer ?? unavailable("too many questions are open");
  end({ question: request.question?.$case ?? "none", outcome: outcome.$case });
  return { requestId: request.requestId, answer: outcome };
}

/** Undefined: there is no room for the question. One that waited for its turn past its deadline is not begun. */
function decide(
  { question }: DecideRequest,
  giveUpAtMs: number,
  batches: Batches,
  deps: DecisionsServerDeps,
): Promise<Answer | undefined> {
  const inTime = (work: () => Promise<Answer>) => async () =>
    performance.now() < giveUpAtMs ? work() : unavailable("no decision in time");
  switch (question?.$case) {
    case "call": {
      const span = deps.traces?.begin(question.value);
      const call = span === undefined ? question.value : { ...question.value, traceparent: span.traceparent };
      const { outsideWork = deps.work } = deps;
      const decided = mayWaitForOthers(call.action, call.payload)
        ? outsideWork.run(inTime(() => decideCall(call, deps)))
        : isShared(call)
          ? batches.ask(call, giveUpAtMs)
          : deps.work.run(inTime(() => decideCall(call, deps)));
      return span === undefined ? decided : decided.finally(() => span.end());
    }
    case "lookup": {
      const { identity } = question.value;
      return deps.work.run(inTime(() => lookUpStation(identity, deps)));
    }
    case undefined:
      return Promise.resolve(unavailable("a question of a kind that this build does not know"));
  }
}
