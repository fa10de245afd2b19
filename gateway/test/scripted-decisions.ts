import {
  StationDecisionsServiceService,
  type DecideRequest,
  type DecideResponse,
} from "@dynamo-csms/proto/generated/station_decisions";
import { freePort } from "@dynamo-csms/local/ports";
import { Server, ServerCredentials, status, type ServerDuplexStream } from "@grpc/grpc-js";

type Stream = ServerDuplexStream<DecideRequest, DecideResponse>;

/** A decisions server whose every answer the test gives itself, and that can go away and come back on its port. */
export interface ScriptedDecisions {
  address: string;
  /** Questions as they came, over all streams. */
  questions: DecideRequest[];
  answer(requestId: number, answer: NonNullable<DecideResponse["answer"]>): void;
  /** Answers every question from now on by itself; undefined leaves it open. */
  script(decide: ((request: DecideRequest) => DecideResponse["answer"] | undefined) | undefined): void;
  /** Takes nothing more off the streams that are open, until `read`. */
  stopReading(): void;
  read(): void;
  /** Breaks the streams; the server stays. */
  cutStreams(): void;
  stop(): void;
  start(): Promise<void>;
}

export async function startScriptedDecisions(): Promise<ScriptedDecisions> {
  const questions: DecideRequest[] = [];
  const streams = new Set<Stream>();
  let server: Server;
  // Below the ports of outgoing connections: it must be free again after each absence.
  const port = await freePort();
  let decide: ((request: DecideRequest) => DecideResponse["answer"] | undefined) | undefined;

  const write = (requestId: number, answer: NonNullable<DecideResponse["answer"]>) => {
    for (const stream of streams) stream.write({ requestId, answer });
  };
  const world: ScriptedDecisions = {
    get address() {
      return `127.0.0.1:${port}`;
    },
    questions,
    answer: write,
    script(next) {
      decide = next;
    },
    stopReading() {
      for (const stream of streams) stream.pause();
    },
    read() {
      for (const stream of streams) stream.resume();
    },
    cutStreams() {
      // What a handler of this library does to end a stream with a status of its own.
      for (const stream of streams) stream.emit("error", { code: status.UNAVAILABLE, details: "cut by the test" });
    },
    stop: () => server.forceShutdown(),
    async start() {
      server = new Server();
      server.addService(StationDecisionsServiceService, {
        decide(stream: Stream) {
          streams.add(stream);
          const forget = () => streams.delete(stream);
          stream.on("data", (request: DecideRequest) => {
            questions.push(request);
            const answer = decide?.(request);
            if (answer !== undefined) stream.write({ requestId: request.requestId, answer });
          });
          stream.on("error", forget);
          stream.on("close", forget);
          stream.on("cancelled", forget);
          stream.on("end", () => {
            forget();
            stream.end();
          });
        },
      });
      await new Promise<number>((resolve, reject) =>
        server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
          error ? reject(error) : resolve(bound),
        ),
      );
    },
  };
  await world.start();
  return world;
}
