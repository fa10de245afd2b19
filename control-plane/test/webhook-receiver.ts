import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

interface ReceivedRequest {
  headers: Record<string, string>;
  body: string;
}

export interface WebhookReceiver {
  url: string;
  requests: ReceivedRequest[];
  /** The nth request, from 0. Throws when it did not come. */
  request(index: number): ReceivedRequest;
  connections(): number;
  /** Resolves when this many requests have come in all. */
  received(count: number): Promise<void>;
  close(): Promise<void>;
}

/** A real HTTP receiver on a free port of this machine. `answer` gets the response to end, and how many requests came. */
export async function startWebhookReceiver(
  answer: (response: ServerResponse, count: number) => void = (response) => response.writeHead(204).end(),
): Promise<WebhookReceiver> {
  const requests: ReceivedRequest[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  let connections = 0;
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      requests.push({ headers: singleHeaders(request.headers), body: Buffer.concat(chunks).toString("utf8") });
      for (const waiter of waiting) if (requests.length >= waiter.count) waiter.resolve();
      answer(response, requests.length);
    });
  });
  server.on("connection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    requests,
    request(index) {
      const request = requests[index];
      if (request === undefined) throw new Error(`${requests.length} requests came, none at ${index}`);
      return request;
    },
    connections: () => connections,
    received: (count) =>
      requests.length >= count ? Promise.resolve() : new Promise((resolve) => waiting.push({ count, resolve })),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const singleHeaders = (headers: IncomingHttpHeaders) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
