import type { FaultySystem, Member } from "../contract.ts";

/** A client that takes any api process that lives, and reports an answer that never came as status 0. */
export function createRest(apis: readonly Member[], apiKey: () => string): FaultySystem["rest"] {
  let turn = 0;
  return async (method, path, body) => {
    const living = apis.filter((api) => api.running());
    const api = living[turn++ % Math.max(1, living.length)];
    if (api === undefined) return { status: 0, body: undefined, headers: new Headers() };
    try {
      const answer = await fetch(`http://127.0.0.1:${api.port}${path}`, {
        method,
        headers: { authorization: `Bearer ${apiKey()}`, "content-type": "application/json" },
        signal: AbortSignal.timeout(90_000),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      return { status: answer.status, body: text === "" ? undefined : JSON.parse(text), headers: answer.headers };
    } catch {
      return { status: 0, body: undefined, headers: new Headers() };
    }
  };
}
