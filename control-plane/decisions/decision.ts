import type { CallRefusal } from "@dynamo-csms/proto/call-error";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { Registration } from "@dynamo-csms/proto/station-record";
import type pg from "pg";
import type { CertificateDecisions } from "../certificates/certificate-decisions.ts";
import type { Sql } from "../database.ts";
import type { Logger } from "pino";
import type { DecisionTraces } from "./decision-traces.ts";
import type { DataTransferHooks } from "../data-transfer/open-hooks.ts";
import type { KnownStation } from "../stations/known-station.ts";

/** A CALL of class "decision", as the gateway puts it. */
export interface Question {
  identity: StationIdentity;
  station: KnownStation;
  version: OcppVersion;
  epoch: number;
  seq: number;
  /** Gateway clock. */
  receivedAt: Date;
  action: string;
  /** JSON text as received: valid against its schema, or transaction data with the least that is needed. */
  payloadText: string;
}

/** What the station is to be told. Committed before it is returned. */
export type Decision =
  | { kind: "answer"; payload: object; registration?: Registration }
  | { kind: "refuse"; refusal: CallRefusal };

export interface DecisionDeps {
  pool: pg.Pool;
  redis: RedisConnection;
  /** Told in BootNotification answers. */
  heartbeatIntervalSeconds: number;
  /** How long the gateways may go by a token's status after it was last asked for. */
  authCacheSeconds: number;
  /** What the certificate messages are decided with; without it they are answered with a "no". */
  certificates?: CertificateDecisions;
  /** Who answers DataTransfers of which vendor. Absent: nobody. */
  dataTransferHooks?: DataTransferHooks;
  /** Where traces are recorded. */
  traces?: DecisionTraces;
  log?: Pick<Logger, "warn">;
}

/**
 * Decides one action. The same question gets the same answer however often it is asked (a stream that breaks is asked
 * again), so answers are found by the message's business key. Rejects when Postgres is away.
 */
export type DecisionStep = (question: Question, deps: DecisionDeps) => Promise<Decision>;

/** Decides questions about one action that came together, with a few statements for all of them. */
export interface SharedStep {
  /** False: it reads, and needs no transaction. */
  writes: boolean;
  /**
   * Each question is of another station. What was said of DecisionStep holds for each of them. @param sql of a transaction,
   * where it writes: what fails in it fails for all, and is tried again with fewer of them. @returns in the questions' order.
   */
  decide(questions: readonly Question[], sql: Sql, deps: DecisionDeps): Promise<Decision[]>;
}

export const answered = (payload: object): Decision => ({ kind: "answer", payload });
