import { expect } from "vitest";
import type { Operation } from "./openapi-operations.ts";

export interface Answer {
  status: number;
  text: string;
  headers: Headers;
}

/** One request with a method of an operation, whatever stands in it. */
export async function send(
  method: string,
  url: string,
  headers: Record<string, string>,
  body?: string | Buffer,
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers,
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : new Uint8Array(body) }),
    signal: AbortSignal.timeout(20_000),
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

/**
 * What is wrong with a refusal: empty when it is a full problem document that gives nothing away.
 * @param promised the API's own address and the codes that its document announces.
 */
export function complaintsAbout(
  { status, text, headers }: Answer,
  operation: Operation,
  promised: { apiUrl: string; codes: ReadonlySet<string> },
): string[] {
  const found: string[] = [];
  const say = (when: boolean, what: string) => void (when && found.push(what));
  say(status >= 500, `status ${status}`);
  say(!operation.statuses.includes(status) && status !== 404, `${status} is not in the document`);
  say(/\n\s+at |node_modules|\.ts:\d|postgres|violates|syntax error/i.test(text), `innards: ${text.slice(0, 300)}`);
  if (!(headers.get("content-type") ?? "").startsWith("application/problem+json"))
    return [...found, `type ${headers.get("content-type")}`];
  const problem = JSON.parse(text) as Record<string, unknown>;
  for (const member of ["type", "title", "detail", "code", "request_id", "remedy"])
    say(typeof problem[member] !== "string" || problem[member] === "", `no ${member}`);
  say(problem["status"] !== status, "another status in the body");
  say(
    problem["type"] !== `${promised.apiUrl}/docs/problems/${String(problem["code"])}`,
    `type ${String(problem["type"])}`,
  );
  say(!promised.codes.has(String(problem["code"])), `unknown code ${String(problem["code"])}`);
  say(problem["request_id"] !== headers.get("x-request-id"), "another request id in the header");
  const errors = (problem["errors"] ?? []) as Record<string, unknown>[];
  say(status === 422 && errors.length === 0 && problem["code"] === "validation_failed", "422 without errors");
  say(
    errors.some(({ pointer, code, detail }) => ![pointer, code, detail].every((part) => typeof part === "string")),
    "errors without a place",
  );
  return found;
}

/** Runs one check over many cases and reports every case that is wrong, not just the first. */
export async function sweep<Case>(cases: Case[], check: (one: Case) => Promise<string[]>): Promise<void> {
  const wrong: string[] = [];
  const waiting = [...cases];
  const work = async () => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) wrong.push(...(await check(one)));
  };
  await Promise.all(Array.from({ length: 8 }, work));
  expect(wrong).toEqual([]);
}
