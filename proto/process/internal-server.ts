import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";

/** What a process cannot work without, by name. Each says whether it can be used now; one that fails or hangs says no. */
export type Checks = Record<string, () => boolean | Promise<boolean>>;

export interface InternalServerDeps {
  /** 0: any free one. */
  port: number;
  host: string;
  checks: Checks;
  registry: Registry;
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

/**
 * Starts the port for probes and metrics, apart from the public one: /livez (the event loop turns; nothing else is asked,
 * or an outage of Redis would restart the whole fleet), /readyz (started, not stopping, every check passes), /metrics
 * (Prometheus). Rejects when the port cannot be had.
 */
export async function startInternalServer(deps: InternalServerDeps): Promise<InternalServer> {
  let stage: "starting" | "running" | "stopping" = "starting";
  const answer: RequestListener = (request, response) => {
    const reply = (status: number, body: string, type = "application/json") =>
      response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body);
    switch (request.url?.split("?")[0]) {
      case "/livez":
        return reply(200, '{"status":"live"}\n');
      case "/readyz":
        return void runChecks(deps.checks).then((checks) => {
          const status = stage === "running" ? (Object.values(checks).every(Boolean) ? "ready" : "not ready") : stage;
          reply(status === "ready" ? 200 : 503, `${JSON.stringify({ status, checks })}\n`);
        });
      case "/metrics":
        return void deps.registry.metrics().then(
          (text) => reply(200, text, deps.registry.contentType),
          () => reply(500, '{"status":"metrics failed"}\n'),
        );
      default:
        return reply(404, "This port has /livez, /readyz and /metrics.\n", "text/plain");
    }
  };
  const server = createServer(answer);
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

/** All at once, each to its own result. Never rejects. */
async function runChecks(checks: Checks): Promise<Record<string, boolean>> {
  const results = Object.entries(checks).map(async ([name, check]) => [name, await passesInTime(check)] as const);
  return Object.fromEntries(await Promise.all(results));
}

async function passesInTime(check: () => boolean | Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<false>((resolve) => (timer = setTimeout(resolve, CHECK_TIMEOUT_MS, false)));
  const passes = async () => check();
  try {
    return await Promise.race([passes().catch(() => false), tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
