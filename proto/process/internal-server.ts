import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { Gauge, type Registry } from "prom-client";
import type { LogLevelSwitch } from "./log-level.ts";
import { LOG_LEVELS } from "./logger.ts";

/** What a process cannot work without, by name. Each says whether it can be used now; one that fails or hangs says no. */
export type Checks = Record<string, () => boolean | Promise<boolean>>;

export interface InternalServerDeps {
  /** 0: any free one. */
  port: number;
  host: string;
  checks: Checks;
  registry: Registry;
  /** Without it there is no /log-level. */
  logLevel?: LogLevelSwitch;
  /** Default: REQUEST_TIMEOUT_MS. */
  requestTimeoutMs?: number;
}

export interface InternalServer {
  /** The port that is listened on. */
  port: number;
  /** Everything is started: from now on the checks alone decide. */
  markReady(): void;
  /** From now on /readyz says no, whatever the checks say: the first step of every shutdown. */
  markStopping(): void;
  close(): Promise<void>;
}

/** A check that hangs is a check that fails: shorter than the usual timeout of a probe. */
const CHECK_TIMEOUT_MS = 2_000;
/** Longer than any request here takes; who has not sent a whole one by then is let go. */
const REQUEST_TIMEOUT_MS = 5_000;
/** Characters of a body. */
const MAX_WORD = 100;

/**
 * Starts the port for probes, metrics and the log's level, apart from the public one: /livez (the event loop turns; nothing
 * else is asked, or an outage of Redis would restart the whole fleet), /readyz (started, not stopping, every check passes), /metrics
 * (Prometheus; the same truth as /readyz is among them), /log-level (GET; PUT with the level as the body). A check that still
 * runs is not begun again: whoever asks next hears of its end. Rejects when the port cannot be had.
 */
export async function startInternalServer(deps: InternalServerDeps): Promise<InternalServer> {
  let stage: "starting" | "running" | "stopping" = "starting";
  const checks = Object.fromEntries(Object.entries(deps.checks).map(([name, check]) => [name, onceAtATime(check)]));
  tellAsMetrics(deps.registry, async () => ({ running: stage === "running", results: await runChecks(checks) }));
  const answer: RequestListener = (request, response) => {
    const reply = (status: number, body: string, type = "application/json") =>
      response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body);
    const nothing = () => reply(404, "This port has /livez, /readyz, /metrics and /log-level.\n", "text/plain");
    switch (request.url?.split("?")[0]) {
      case "/livez":
        return reply(200, '{"status":"live"}\n');
      case "/readyz":
        return void runChecks(checks).then((results) => {
          const status = stage === "running" ? (Object.values(results).every(Boolean) ? "ready" : "not ready") : stage;
          reply(status === "ready" ? 200 : 503, `${JSON.stringify({ status, checks: results })}\n`);
        });
      case "/metrics":
        return void deps.registry.metrics().then(
          (text) => reply(200, text, deps.registry.contentType),
          () => reply(500, '{"status":"metrics failed"}\n'),
        );
      case "/log-level":
        return deps.logLevel === undefined ? nothing() : void answerLogLevel(request, deps.logLevel, reply);
      default:
        return nothing();
    }
  };
  const server = createServer(
    {
      requestTimeout: deps.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
      headersTimeout: deps.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: 1_000,
    },
    answer,
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(deps.port, deps.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    markReady() {
      // A stop signal may come while the process still starts.
      if (stage === "starting") stage = "running";
    },
    markStopping: () => void (stage = "stopping"),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

type Reply = (status: number, body: string) => unknown;

async function answerLogLevel(request: IncomingMessage, levels: LogLevelSwitch, reply: Reply): Promise<void> {
  const tell = (status: number) => reply(status, `${JSON.stringify({ level: levels.level })}\n`);
  if (request.method === "GET") return void tell(200);
  if (request.method !== "PUT") return void reply(405, '{"status":"GET or PUT"}\n');
  const level = await shortText(request);
  if (level !== undefined && levels.set(level)) return void tell(200);
  reply(400, `${JSON.stringify({ status: `want one of ${LOG_LEVELS.join(", ")}` })}\n`);
}

/** A word as the body, or undefined: it is longer, or broke off. Nothing more of it is kept than fits. */
function shortText(request: IncomingMessage): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = "";
    request.setEncoding("utf8").on("data", (chunk: string) => {
      if (text.length <= MAX_WORD) text += chunk.slice(0, MAX_WORD + 1);
      if (text.length > MAX_WORD) resolve(undefined);
    });
    request.once("end", () => resolve(text.trim()));
    request.once("error", () => resolve(undefined));
    request.once("close", () => resolve(undefined));
  });
}

/** `dynamo_ready` and `dynamo_check_passes`, found out when they are asked for. */
function tellAsMetrics(
  registry: Registry,
  look: () => Promise<{ running: boolean; results: Record<string, boolean> }>,
): void {
  registry.registerMetric(
    new Gauge({
      name: "dynamo_check_passes",
      help: "1 while this process can use what the check names; part of dynamo_ready",
      labelNames: ["check"],
      registers: [],
      async collect() {
        for (const [check, passes] of Object.entries((await look()).results)) this.set({ check }, passes ? 1 : 0);
      },
    }),
  );
  registry.registerMetric(
    new Gauge({
      name: "dynamo_ready",
      help: "1 while /readyz says yes: started, not stopping, every check passes",
      registers: [],
      async collect() {
        const { running, results } = await look();
        this.set(running && Object.values(results).every(Boolean) ? 1 : 0);
      },
    }),
  );
}

/** A probe comes every few seconds, and a check may hang for longer: each must not take one more connection. */
function onceAtATime(check: () => boolean | Promise<boolean>): () => Promise<boolean> {
  let running: Promise<boolean> | undefined;
  const run = async () => check();
  return () => (running ??= run().finally(() => (running = undefined)));
}

/** All at once, each to its own result. Never rejects. */
async function runChecks(checks: Record<string, () => Promise<boolean>>): Promise<Record<string, boolean>> {
  const results = Object.entries(checks).map(async ([name, check]) => [name, await passesInTime(check)] as const);
  return Object.fromEntries(await Promise.all(results));
}

async function passesInTime(check: () => Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<false>((resolve) => (timer = setTimeout(resolve, CHECK_TIMEOUT_MS, false)));
  try {
    return await Promise.race([check().catch(() => false), tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
