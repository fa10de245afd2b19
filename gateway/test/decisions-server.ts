import {
  StationDecisionsServiceService,
  type DecideRequest,
  type DecideResponse,
  type StationCall,
} from "@dynamo-csms/proto/generated/station_decisions";
import { encodeStationRecord, type StationRecord } from "@dynamo-csms/proto/station-record";
import { Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";

export interface DecisionsServer {
  address: string;
  /** What lookups find, by identity. */
  registered: Map<string, StationRecord>;
  /** Every question, in order. */
  lookups: string[];
  calls: StationCall[];
  close(): void;
}

const ANSWERS: Record<string, (call: StationCall) => object> = {
  BootNotification: () => ({ status: "Accepted", currentTime: new Date().toISOString(), interval: 300 }),
  Authorize: (call) =>
    call.ocppVersion === "1.6" ? { idTagInfo: { status: "Accepted" } } : { idTokenInfo: { status: "Accepted" } },
  StartTransaction: () => ({ transactionId: 1, idTagInfo: { status: "Accepted" } }),
  StopTransaction: () => ({}),
  TransactionEvent: () => ({}),
};

/** The other end of the gateway's decisions stream, over real gRPC, with fixed answers. */
export async function startDecisionsServer(): Promise<DecisionsServer> {
  const world = { registered: new Map<string, StationRecord>(), lookups: [] as string[], calls: [] as StationCall[] };

  const answer = (question: DecideRequest["question"]): DecideResponse["answer"] => {
    switch (question?.$case) {
      case "lookup": {
        world.lookups.push(question.value.identity);
        const record = world.registered.get(question.value.identity);
        return { $case: "lookup", value: { record: record === undefined ? "" : encodeStationRecord(record) } };
      }
      case "call": {
        world.calls.push(question.value);
        const decide = ANSWERS[question.value.action];
        if (decide === undefined)
          return { $case: "refusal", value: { refusal: "unsupported-action", description: "not in this test" } };
        const registration = question.value.action === "BootNotification" ? "accepted" : "";
        return { $case: "result", value: { payload: JSON.stringify(decide(question.value)), registration } };
      }
      case undefined:
        return undefined;
    }
  };

  const server = new Server();
  server.addService(StationDecisionsServiceService, {
    decide(stream: ServerDuplexStream<DecideRequest, DecideResponse>) {
      stream.on("data", (request: DecideRequest) => {
        const decided = answer(request.question);
        stream.write({ requestId: request.requestId, answer: decided });
      });
      stream.on("error", () => stream.end());
      stream.on("end", () => stream.end());
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  return { ...world, address: `127.0.0.1:${port}`, close: () => server.forceShutdown() };
}
