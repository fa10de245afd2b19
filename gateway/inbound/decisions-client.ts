// What needs a decision is put to the control plane over one stream for the whole process. A stream that breaks answers
// nothing of what was open on it: that is asked again on the next one, and decided there by business key, so the same
// question gets the same answer.

import { setTimeout as sleep } from "node:timers/promises";
import type { CallRefusal, Refusal } from "@dynamo-csms/proto/call-error";
import { CALL_ERROR_CODE } from "@dynamo-csms/proto/call-error";
import {
  StationDecisionsServiceClient,
  type DecideRequest,
  type DecideResponse,
  type StationCall,
} from "@dynamo-csms/proto/generated/station_decisions";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { decodeStationRecord, type Registration, type StationRecord } from "@dynamo-csms/proto/station-record";
import { credentials, type ClientDuplexStream } from "@grpc/grpc-js";
import type { Logger } from "pino";

export type Decision =
  | { kind: "result"; payload: string; registration?: Registration }
  | { kind: "refusal"; refusal: CallRefusal }
  /** The control plane is away, overloaded, or took too long. */
  | { kind: "unavailable"; reason: string };

export type Lookup =
  | { kind: "found"; record: StationRecord }
  | { kind: "unknown" }
  | { kind: "unavailable"; reason: string };

export interface DecisionsClientDeps {
  /** host:port */
  address: string;
  /** Mutual TLS, PEM; without it the connection is plain (one machine). */
  tls?: { ca: Buffer; certificate: Buffer; key: Buffer };
  log: Logger;
}

export interface DecisionsClient {
  /** False: known to be away; questions are answered "unavailable" at once. */
  readonly connected: boolean;
  /** Decides within `timeoutMs`, or says that it could not. Never rejects. */
  decide(call: StationCall, timeoutMs: number): Promise<Decision>;
  /** Asks for a station that Redis does not know. Never rejects. */
  lookup(identity: StationIdentity): Promise<Lookup>;
  close(): void;
}

/** More open questions than this, and the control plane is not keeping up: it counts as away for the next one. */
const MAX_OPEN = 20_000;
const LOOKUP_TIMEOUT_MS = 3_000;
/** How long a new connection may take before the control plane counts as away. */
const CONNECT_TIMEOUT_MS = 1_500;
const MAX_RETRY_MS = 2_000;
const USEFUL_MS = 1_000;

const CHANNEL_OPTIONS = {
  "grpc.initial_reconnect_backoff_ms": 200,
  "grpc.min_reconnect_backoff_ms": 200,
  "grpc.max_reconnect_backoff_ms": MAX_RETRY_MS,
  // A peer that vanished without a word (power, network) is found by pings, within 8 s.
  "grpc.keepalive_time_ms": 5_000,
  "grpc.keepalive_timeout_ms": 3_000,
  "grpc.keepalive_permit_without_calls": 1,
};

type Stream = ClientDuplexStream<DecideRequest, DecideResponse>;
type Outcome = NonNullable<DecideResponse["answer"]>;

interface OpenQuestion {
  question: NonNullable<DecideRequest["question"]>;
  /** Monotonic ms. */
  deadlineMs: number;
  timer: NodeJS.Timeout;
  settle(outcome: Outcome): void;
}

/** Starts connecting at once, and goes on trying until it is closed. */
export function createDecisionsClient(deps: DecisionsClientDeps): DecisionsClient {
  const tls = deps.tls;
  const channel =
    tls === undefined ? credentials.createInsecure() : credentials.createSsl(tls.ca, tls.key, tls.certificate);
  const client = new StationDecisionsServiceClient(deps.address, channel, CHANNEL_OPTIONS);
  const closing = new AbortController();
  const open = new Map<number, OpenQuestion>();
  let stream: Stream | undefined;
  /** Ids of questions that the stream has no room for yet: what is given up meanwhile is never written. */
  let unwritten: number[] = [];
  /** Away: the last attempt failed. In between (a stream just broke) questions wait for the next attempt. */
  let away = false;
  let lastId = 0;
  /** Monotonic ms of the last word on the stream. */
  let heardAtMs = 0;

  function ask(question: OpenQuestion["question"], timeoutMs: number): Promise<Outcome> {
    if (closing.signal.aborted) return Promise.resolve(unavailable("closed"));
    if (away) return Promise.resolve(unavailable("the control plane is away"));
    if (open.size >= MAX_OPEN) return Promise.resolve(unavailable("too many questions are open"));
    return new Promise((resolve) => {
      const id = ++lastId;
      const askedAtMs = performance.now();
      const settle = (outcome: Outcome) => {
        open.delete(id);
        clearTimeout(timer);
        resolve(outcome);
      };
      const timer = setTimeout(() => {
        settle(unavailable("no decision in time"));
        // Nothing at all came since we asked: the stream is dead, and the next one will say so sooner.
        if (stream !== undefined && heardAtMs < askedAtMs) stream.cancel();
      }, timeoutMs);
      open.set(id, { question, deadlineMs: askedAtMs + timeoutMs, timer, settle });
      if (stream !== undefined) put(stream, id);
    });
  }

  function put(to: Stream, id: number): void {
    const asked = open.get(id);
    if (asked === undefined) return;
    if (to.writableNeedDrain) {
      if (unwritten.length >= MAX_OPEN) unwritten = unwritten.filter((each) => open.has(each));
      unwritten.push(id);
      return;
    }
    to.write({
      requestId: id,
      deadlineMs: Math.max(1, Math.round(asked.deadlineMs - performance.now())),
      question: asked.question,
    });
  }

  async function keepConnected(): Promise<void> {
    let retryMs = 0;
    while (!closing.signal.aborted) {
      const startedAtMs = performance.now();
      const broken = await connectOnce();
      if (closing.signal.aborted) return;
      // A server that ends stream after stream at once is as good as none.
      const useless = broken === undefined || (retryMs > 0 && performance.now() - startedAtMs < USEFUL_MS);
      if (useless) {
        if (!away) deps.log.error({ address: deps.address }, "control plane away");
        away = true;
        for (const question of [...open.values()]) question.settle(unavailable("the control plane is away"));
        retryMs = Math.min(Math.max(retryMs * 2, 100), MAX_RETRY_MS);
      } else {
        deps.log.warn({ openQuestions: open.size, reason: broken.brokenBy }, "decisions stream broken");
        retryMs = performance.now() - startedAtMs < USEFUL_MS ? 100 : 0;
      }
      await sleep(retryMs * (0.5 + Math.random() / 2), undefined, { signal: closing.signal }).catch(() => undefined);
    }
  }

  /** One connection from its beginning to its end. Undefined: it never began. */
  async function connectOnce(): Promise<{ brokenBy: string } | undefined> {
    const ready = await new Promise<boolean>((resolve) =>
      client.waitForReady(Date.now() + CONNECT_TIMEOUT_MS, (error) => resolve(error === undefined || error === null)),
    );
    if (!ready || closing.signal.aborted) return undefined;
    return new Promise((resolve) => {
      const next = client.decide();
      stream = next;
      if (away) deps.log.info({ address: deps.address }, "control plane back");
      away = false;
      next.on("data", (response: DecideResponse) => {
        heardAtMs = performance.now();
        // Already given up: late. The answer is the same when the station asks again.
        open
          .get(response.requestId)
          ?.settle(response.answer ?? unavailable("an answer of a kind that this build does not know"));
      });
      const end = (reason: string) => {
        if (stream === next) stream = undefined;
        resolve({ brokenBy: reason });
      };
      next.on("drain", () => {
        if (stream !== next) return;
        const waiting = unwritten;
        unwritten = [];
        for (const id of waiting) put(next, id);
      });
      next.on("error", (error: Error) => end(error.message));
      next.on("end", () => {
        next.end();
        end("ended by the control plane");
      });
      unwritten = [];
      for (const id of open.keys()) put(next, id);
    });
  }

  void keepConnected();
  return {
    get connected() {
      return stream !== undefined;
    },
    decide: async (call, timeoutMs) => decisionOf(await ask({ $case: "call", value: call }, timeoutMs)),
    lookup: async (identity) => lookupOf(await ask({ $case: "lookup", value: { identity } }, LOOKUP_TIMEOUT_MS)),
    close() {
      closing.abort();
      for (const question of [...open.values()]) question.settle(unavailable("closed"));
      stream?.cancel();
      client.close();
    },
  };
}

const unavailable = (reason: string): Outcome => ({ $case: "unavailable", value: { reason } });

function decisionOf(outcome: Outcome): Decision {
  switch (outcome.$case) {
    case "result": {
      const { payload, registration } = outcome.value;
      return { kind: "result", payload, ...(isRegistration(registration) ? { registration } : {}) };
    }
    case "refusal": {
      const { refusal, description } = outcome.value;
      return { kind: "refusal", refusal: { refusal: isRefusal(refusal) ? refusal : "internal", description } };
    }
    case "unavailable":
      return { kind: "unavailable", reason: outcome.value.reason };
    case "lookup":
      return { kind: "unavailable", reason: "an answer to another question" };
  }
}

function lookupOf(outcome: Outcome): Lookup {
  switch (outcome.$case) {
    case "lookup":
      return outcome.value.record === "" ? { kind: "unknown" } : foundRecord(outcome.value.record);
    case "unavailable":
      return { kind: "unavailable", reason: outcome.value.reason };
    default:
      return { kind: "unavailable", reason: "an answer to another question" };
  }
}

function foundRecord(text: string): Lookup {
  try {
    return { kind: "found", record: decodeStationRecord(text) };
  } catch (cause) {
    // Written by a newer release: to be read when this gateway is upgraded too.
    return { kind: "unavailable", reason: (cause as Error).message };
  }
}

const isRefusal = (text: string): text is Refusal => Object.hasOwn(CALL_ERROR_CODE, text);
const isRegistration = (text: string): text is Registration =>
  ["unknown", "pending", "accepted", "rejected"].includes(text);
