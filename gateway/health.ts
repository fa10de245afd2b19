import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";

interface Deps {
  host: string;
  port: number;
  registry: Registry;
  /** What is in the way of taking new stations, in words; empty: ready. */
  notReady(): string[];
}

/**
 * The internal port: /livez (the process runs), /readyz (a load balancer may send stations), /metrics. Liveness asks
 * nothing of Redis: an outage of it must not restart the fleet's gateways. Rejects when the port cannot be had.
 */
export async function startHealthServer(deps: Deps): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    answerProbe(request.url?.split("?")[0], response, deps).catch((error: Error) =>
      response.writeHead(500).end(`${error.message}\n`),
    );
  });
  await listen(server, deps.host, deps.port);
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function answerProbe(
  path: string | undefined,
  response: ServerResponse,
  { registry, notReady }: Deps,
): Promise<void> {
  const answer = (status: number, type: string, body: string) =>
    void response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body);
  switch (path) {
    case "/livez":
      return answer(200, "application/json", '{"status":"live"}\n');
    case "/readyz": {
      const reasons = notReady();
      const status = reasons.length === 0 ? "ready" : "not ready";
      return answer(reasons.length === 0 ? 200 : 503, "application/json", `${JSON.stringify({ status, reasons })}\n`);
    }
    case "/metrics":
      return answer(200, registry.contentType, await registry.metrics());
    default:
      return answer(404, "text/plain", "This port has /livez, /readyz and /metrics.\n");
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve());
  });
}
