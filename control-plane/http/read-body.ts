import type { IncomingMessage } from "node:http";
import { inBody } from "./field-errors.ts";
import { ProblemError } from "./problems.ts";

export interface BodyLimits {
  maxBytes: number;
  /** From the first look at the body to its last byte. */
  deadlineMs: number;
}

const NO_BODY = Buffer.alloc(0);

/**
 * Reads a request's body. Throws ProblemError: body_too_large (announced or as it comes), request_timeout,
 * unsupported_media_type for compressed bodies (a small one may unfold to gigabytes).
 */
export async function readBody(request: IncomingMessage, limits: BodyLimits): Promise<Buffer> {
  const announced = Number(request.headers["content-length"] ?? 0);
  const chunked = request.headers["transfer-encoding"] !== undefined;
  if (announced === 0 && !chunked) return NO_BODY;
  if ((request.headers["content-encoding"] ?? "identity") !== "identity")
    throw new ProblemError("unsupported_media_type", "The body is compressed.", {
      remedy: "Send the body without Content-Encoding.",
    });
  if (announced > limits.maxBytes) throw tooLarge(limits);

  const chunks: Buffer[] = [];
  let bytes = 0;
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () =>
        finish(
          new ProblemError("request_timeout", `The body did not arrive within ${limits.deadlineMs} ms.`, {
            headers: { connection: "close" },
          }),
        ),
      limits.deadlineMs,
    );
    const finish = (problem?: Error) => {
      clearTimeout(timer);
      request.off("data", onData).off("end", onEnd).off("error", onError).off("close", onClose);
      if (problem === undefined) resolve();
      else reject(problem);
    };
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > limits.maxBytes) finish(tooLarge(limits));
      else chunks.push(chunk);
    };
    const onEnd = () => finish();
    const onError = (fault: Error) => finish(fault);
    const onClose = () => finish(new ProblemError("bad_json", "The connection closed before the body was complete."));
    request.on("data", onData).on("end", onEnd).on("error", onError).on("close", onClose);
  });
  return Buffer.concat(chunks, bytes);
}

const tooLarge = ({ maxBytes }: BodyLimits) =>
  new ProblemError("body_too_large", `The body has more than ${maxBytes} bytes.`, { headers: { connection: "close" } });

/**
 * Reads a body as JSON. An empty body is `{}`: the schema then names what is missing. Throws ProblemError:
 * unsupported_media_type, bad_json, validation_failed for texts that cannot be stored.
 */
export function parseJsonBody(body: Buffer, contentType: string | undefined): unknown {
  if (body.length === 0) return {};
  const [type = "", ...parameters] = (contentType ?? "")
    .toLowerCase()
    .split(";")
    .map((part) => part.trim());
  if (type !== "application/json" && !/^application\/[\w.+-]+\+json$/.test(type))
    throw new ProblemError(
      "unsupported_media_type",
      contentType === undefined ? "The body has no Content-Type." : `${type.slice(0, 100)} is not understood here.`,
    );
  const charset = parameters
    .find((parameter) => parameter.startsWith("charset="))
    ?.slice("charset=".length)
    .replaceAll('"', "");
  if (charset !== undefined && charset !== "utf-8" && charset !== "utf8")
    throw new ProblemError("unsupported_media_type", "JSON is UTF-8.", { remedy: "Send the body in UTF-8." });
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    throw new ProblemError("bad_json", "The body is not UTF-8.");
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    // V8's message quotes the body, which may hold a password: only the place is told.
    const position = /position (\d+)/.exec((cause as Error).message)?.[1];
    throw new ProblemError(
      "bad_json",
      position === undefined
        ? "The body cannot be read as JSON."
        : `The body cannot be read as JSON: a mistake at character ${position}.`,
    );
  }
  refuseUnusable(value, []);
  return value;
}

/** No request of ours nests deeper than a handful; code that walks values recursively may rely on it. */
const MAX_DEPTH = 64;

/** Postgres cannot store U+0000, and a lone surrogate is no text: both can come as escapes. */
function refuseUnusable(value: unknown, path: string[]): void {
  if (typeof value === "string") {
    if (!value.includes("\u0000") && value.isWellFormed()) return;
    const detail = "holds a NUL character or half of a character";
    throw new ProblemError("validation_failed", "A text holds characters that are none.", {
      errors: [{ pointer: inBody(path), code: "wrong_format", detail }],
    });
  }
  if (typeof value !== "object" || value === null) return;
  if (path.length === MAX_DEPTH)
    throw new ProblemError("bad_json", `The body is nested deeper than ${MAX_DEPTH} levels.`);
  for (const [name, member] of Object.entries(value)) {
    refuseUnusable(name, path);
    path.push(name);
    refuseUnusable(member, path);
    path.pop();
  }
}
