import {
  type DecideResponse,
  type StationCall,
  StationDecisionsServiceClient,
} from "@dynamo-csms/proto/generated/station_decisions";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { connectRedis } from "@dynamo-csms/proto/process/redis-connection";
import { parseRedisTarget } from "@dynamo-csms/proto/process/redis-target";
import { credentials } from "@grpc/grpc-js";
import { pino } from "pino";
import { Registry } from "prom-client";
import { BoundedWork } from "../decisions/bounded-work.ts";
import { createDecisionsMetrics } from "../decisions/decisions-metrics.ts";
import {
  createDecisionsServer,
  type DecisionsServer,
  type DecisionsServerDeps,
} from "../decisions/decisions-server.ts";
import type { TestStation } from "./registered-station.ts";

export type AskedDecisions = Awaited<ReturnType<typeof startDecisions>>;

/** The server of the decisions process with a gateway's stream to it. */
export async function startDecisions(overrides: Partial<DecisionsServerDeps> & Pick<DecisionsServerDeps, "pool">) {
  const log = pino({ level: process.env["TEST_LOG_LEVEL"] ?? "silent" });
  const connection = connectRedis(parseRedisTarget(process.env["TEST_REDIS_URL"] as string), "commands", {
    connectionName: "test",
    log,
  });
  const work = new BoundedWork({ concurrency: 4, waiting: 100 });
  const metrics = createDecisionsMetrics(new Registry(), () => work.size);
  const server: DecisionsServer = createDecisionsServer({
    redis: connection,
    heartbeatIntervalSeconds: 120,
    authCacheSeconds: 600,
    work,
    metrics,
    log,
    ...overrides,
  });
  const port = await server.listen("127.0.0.1:0");
  const client = new StationDecisionsServiceClient(`127.0.0.1:${port}`, credentials.createInsecure());
  const stream = client.decide();
  const waiting = new Map<number, (response: DecideResponse) => void>();
  stream.on("data", (response: DecideResponse) => waiting.get(response.requestId)?.(response));
  stream.on("error", () => {});
  let lastId = 0;
  const ask = (
    question: { $case: "call"; value: StationCall } | { $case: "lookup"; value: { identity: string } },
    deadlineMs = 5_000,
  ) =>
    new Promise<DecideResponse["answer"]>((resolve) => {
      const requestId = ++lastId;
      waiting.set(requestId, (response) => resolve(response.answer));
      stream.write({ requestId, deadlineMs, question });
    });
  return {
    server,
    ask,
    ended: new Promise<void>((resolve) => void stream.on("end", resolve)),
    async close() {
      stream.cancel();
      client.close();
      await server.stop();
      connection.disconnect();
    },
  };
}

let seq = 0;

/** A CALL of this station, on one connection and behind all of before. */
export const callOf = (
  station: TestStation,
  version: OcppVersion,
  action: string,
  payload: object | string,
  messageId = `m${seq}`,
): StationCall => ({
  identity: station.identity,
  epoch: 1_700_000_000_000,
  seq: ++seq,
  receivedAtMs: Date.now(),
  ocppVersion: version,
  messageId,
  action,
  payload: typeof payload === "string" ? payload : JSON.stringify(payload),
  nodeId: "node-a",
});
