// What the stream of decisions is measured against (local/bench/rows/decisions.ts): the same decisions, one in each call, each
// with a commit of its own. Ends when its parent does.
import {
  type DecideRequest,
  type DecideResponse,
  StationDecisionsServiceService,
} from "@dynamo-csms/proto/generated/station_decisions";
import { connectRedis } from "@dynamo-csms/proto/process/redis-connection";
import { parseRedisTarget } from "@dynamo-csms/proto/process/redis-target";
import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from "@grpc/grpc-js";
import { pino } from "pino";
import { openPool } from "../database.ts";
import { decideCall } from "../decisions/decide-call.ts";

const log = pino();
const pool = openPool(process.env["DATABASE_URL"] as string, 4, "unary decisions");
const redis = connectRedis(parseRedisTarget(process.env["REDIS_URL"] as string), "commands", {
  connectionName: "unary-decisions",
  log,
});
const deps = { pool, redis, heartbeatIntervalSeconds: 300, authCacheSeconds: 86_400, log };

async function decideOne({ requestId, question }: DecideRequest): Promise<DecideResponse> {
  if (question?.$case !== "call") throw new Error("only calls are asked here");
  return { requestId, answer: await decideCall(question.value, deps) };
}

const server = new Server();
server.addService(
  {
    decideOne: {
      ...StationDecisionsServiceService.decide,
      path: "/dynamo.decisions.v1.UnaryDecisions/DecideOne",
      requestStream: false,
      responseStream: false,
    },
  },
  {
    decideOne(call: ServerUnaryCall<DecideRequest, DecideResponse>, callback: sendUnaryData<DecideResponse>) {
      decideOne(call.request).then(
        (response) => callback(null, response),
        (fault: Error) => callback(fault),
      );
    },
  },
);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (fault, port) => {
  if (fault !== null) throw fault;
  log.info({ port }, "ready");
});
