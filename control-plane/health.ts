import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";

export interface InternalServerOptions {
  /** 0: any free one. */
  port: number;
  host: string;
  /** What this process cannot work without. Each resolves to whether it answers now. */
  checks: Record<string, () => Promise<boolean>>;
  registry: Registry;
}

export interface InternalServer {
  /** The port that is listened on. */
  port: number;
  markReady(): void;
  /** From now on /readyz says no, whatever the checks say: the first step of every shutdown. */
  markNotReady(): void;
  close(): Promise<void>;
}

/** A check that hangs is a check that fails: shorter than the usual probe timeout. */
const CHECK_TIMEOUT_MS = 2_000;

/**
 * The port for probes and metrics, apart from the public one: `/livez` (the event loop turns; nothing else, or an outage
 * of Redis would restart the whole fleet), `/readyz` (started, not stopping, every check passes), `/metrics` (Prometheus).
 */
export async function createInternalServer(options: InternalServerOptions): Promise<InternalServer> {
  let ready = false;
  const server = createServer((request, response) => {
    const reply = (status: number, body: string, type = "application/json") =>
      response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body);
    switch (request.url?.split("?")[0]) {
      case "/livez":
        return reply(200, '{"status":"live"}');
      case "/readyz":
        return void readiness(ready, options.checks).then(({ status, body }) => reply(status, body));
      case "/metrics":
        return void options.registry.metrics().then(
          (text) => reply(200, text, options.registry.contentType),
          () => reply(500, '{"status":"metrics failed"}'),
        );
      default:
        return reply(404, '{"status":"not found"}');
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    markReady: () => void (ready = true),
    markNotReady: () => void (ready = false),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readiness(
  ready: boolean,
  checks: InternalServerOptions["checks"],
): Promise<{ status: number; body: string }> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => [name, await answersInTime(check)] as const),
  );
  const ok = ready && results.every(([, passed]) => passed);
  return {
    status: ok ? 200 : 503,
    body: JSON.stringify({ status: ok ? "ready" : "not ready", checks: Object.fromEntries(results) }),
  };
}

async function answersInTime(check: () => Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<false>((resolve) => (timer = setTimeout(resolve, CHECK_TIMEOUT_MS, false)));
  try {
    return await Promise.race([check().catch(() => false), tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
