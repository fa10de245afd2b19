import type { Request, Response } from "express";
import type { JsonReply, RawReply } from "./route.ts";

/** Writes the answer and resolves when it is out, or when the client went away. */
export async function writeReply(
  request: Request,
  response: Response,
  reply: JsonReply | RawReply,
  signals: { gone: AbortSignal; stopping: AbortSignal },
): Promise<void> {
  if (signals.gone.aborted) return;
  response.status(reply.status);
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
  const headOnly = request.method === "HEAD";
  if (!("raw" in reply)) {
    if (reply.body === undefined) return void response.end();
    const text = Buffer.from(JSON.stringify(reply.body), "utf8");
    if (!response.hasHeader("content-type")) response.setHeader("content-type", "application/json; charset=utf-8");
    response.setHeader("content-length", text.length);
    response.end(headOnly ? undefined : text);
    return;
  }
  if (typeof reply.raw === "function") {
    response.flushHeaders();
    // A stream ends when its client leaves and when this process stops; answers that are ready are still written then.
    const closed = AbortSignal.any([signals.gone, signals.stopping]);
    if (!headOnly) await reply.raw({ write: (chunk) => response.write(chunk), closed });
    response.end();
    return;
  }
  const bytes = typeof reply.raw === "string" ? Buffer.from(reply.raw, "utf8") : reply.raw;
  response.setHeader("content-length", bytes.length);
  response.end(headOnly ? undefined : bytes);
}

/** How much of a refused body is still read away, and for how long: a client that hears nothing while sending never learns why. */
const DISCARD_BYTES = 8 * 1024 * 1024;
const DISCARD_MS = 2_000;

/** After an answer that was given before the whole body was read: lets the client finish within bounds, then cuts the connection. */
export function discardRest(request: Request): void {
  if (request.complete || request.destroyed) return;
  let bytes = 0;
  const timer = setTimeout(() => request.destroy(), DISCARD_MS);
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > DISCARD_BYTES) request.destroy();
  });
  for (const event of ["end", "close", "error"]) request.once(event, () => clearTimeout(timer));
  request.resume();
}
