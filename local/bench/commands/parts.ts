// What a command cannot do without, each measured by itself on the servers that the product uses: an HTTP request, a commit, a
// message to another process and back through Redis, a frame over a WebSocket and back.
import { once } from "node:events";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { Redis } from "ioredis";
import pg from "pg";
import WebSocket from "ws";
import { everywhere } from "../cores.ts";
import { startPinned } from "../pinned-process.ts";

export interface Parts {
  /** Each does its part once. */
  post(): Promise<void>;
  commit(): Promise<void>;
  pubSub(): Promise<void>;
  socket(): Promise<void>;
  close(): Promise<void>;
}

const CHANNEL = "bench-echo";
/** About as long as a command's message. */
const TEXT = JSON.stringify({ text: "x".repeat(300) });

export async function startParts(folder: string, databaseUrl: string, redisUrl: string): Promise<Parts> {
  const cores = everywhere();
  const isReady = (line: Record<string, unknown>) => line["msg"] === "ready";
  const start = (file: string, args: string[]) =>
    startPinned({ file, args, cores, logFile: join(folder, `${file.replaceAll("/", "-")}.log`), isReady });
  const http = await start("control-plane/test/empty-post.ts", []);
  const echo = await start("local/bench/commands/echo.ts", [redisUrl, CHANNEL]);
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query("create table bench_commits (id bigint generated always as identity primary key, text jsonb)");
  const [ear, mouth] = [new Redis(redisUrl), new Redis(redisUrl)];
  await ear.ssubscribe(`${CHANNEL}-back`);
  const socket = new WebSocket(`ws://127.0.0.1:${String(echo.ready["port"])}`, { perMessageDeflate: false });
  await once(socket, "open");
  return {
    post: async () => void (await postJson(`http://127.0.0.1:${String(http.ready["port"])}/`, {}, {})),
    commit: async () => void (await client.query("insert into bench_commits (text) values ($1)", [TEXT])),
    async pubSub() {
      const back = once(ear, "smessage");
      await mouth.spublish(CHANNEL, TEXT);
      await back;
    },
    async socket() {
      const back = once(socket, "message");
      socket.send(TEXT);
      await back;
    },
    async close() {
      socket.terminate();
      for (const redis of [ear, mouth]) redis.disconnect();
      await client.end();
      await Promise.all([http.stop(), echo.stop()]);
    },
  };
}

const agent = new Agent({ keepAlive: true });

/** One POST on a connection that is kept. @returns the body of an answer of 2xx; throws on any other. */
export function postJson(url: string, headers: Record<string, string>, body: object): Promise<string> {
  const text = JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      {
        method: "POST",
        agent,
        headers: { ...headers, "content-type": "application/json", "content-length": text.length },
      },
      (response) => {
        let answer = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (answer += chunk));
        response.on("end", () =>
          Math.floor((response.statusCode ?? 0) / 100) === 2
            ? resolve(answer)
            : reject(new Error(`${response.statusCode}: ${answer.slice(0, 300)}`)),
        );
      },
    );
    sent.on("error", reject);
    sent.end(text);
  });
}
