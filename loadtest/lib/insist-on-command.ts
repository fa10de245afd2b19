import { sleep } from "k6";
import exec from "k6/execution";
import http, { type RefinedResponse } from "k6/http";
import { commandErrors, commandRoundtrip } from "./metrics.ts";
import { anyCommand } from "./send-commands.ts";
import type { Settings } from "./settings.ts";
import { tellRunner } from "./tell-runner.ts";

type Answer = RefinedResponse<"text">;

/** What comes of an answer: it is over, or it is asked again after a while, with the same Idempotency-Key or as a new request. */
type Next =
  | { kind: "accepted"; commandId: string }
  | { kind: "failed"; why: string }
  | { kind: "again"; why: string; afterSeconds: number; anew?: true }
  | { kind: "look"; at: string };

/** Who wants something done does not give up before. */
const LIMIT_SECONDS = 20;
const AGAIN_SECONDS = 1;

/**
 * Sends a command to a station as a client does that wants it done, by what the API's documentation allows: no answer, and a 503
 * that says when to come again, are repeated with the same Idempotency-Key; a station that was not connected is asked again by a
 * new request; a 202 is looked at where it says. Everything else is a failure, and so is a command that is not accepted in 20 s.
 */
export function insistOnCommand(settings: Settings): void {
  const { apiUrl, apiKey } = settings;
  const { path, body } = anyCommand(settings);
  const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
  const name = `${exec.scenario.startTime}-${exec.scenario.iterationInTest}`;
  const trail: string[] = [];
  const beganMs = Date.now();
  let requests = 1;
  let lookAt: string | undefined;
  for (;;) {
    const answer =
      lookAt === undefined
        ? http.post(`${apiUrl}${path}`, JSON.stringify(body), {
            headers: { ...headers, "idempotency-key": `upgrade-${name}-${requests}` },
            tags: { name: path },
            timeout: "15s",
          })
        : http.get(`${apiUrl}${lookAt}`, { headers, tags: { name: "/api/v1/commands/{command_id}" }, timeout: "15s" });
    const next = nextOf(answer as Answer);
    const seconds = (Date.now() - beganMs) / 1_000;
    if (next.kind === "accepted" || next.kind === "failed" || seconds > LIMIT_SECONDS) {
      const isAccepted = next.kind === "accepted";
      commandErrors.add(!isAccepted);
      if (isAccepted && trail.length === 0) commandRoundtrip.add(answer.timings.duration);
      if (isAccepted) tellRunner({ command: next.commandId });
      trail.push(isAccepted ? "accepted" : next.kind === "failed" ? next.why : "given up");
      if (trail.length > 1 || !isAccepted) tellRunner({ trail, seconds });
      return;
    }
    if (next.kind === "look") {
      lookAt = next.at;
      sleep(AGAIN_SECONDS / 4);
      continue;
    }
    trail.push(next.why);
    if (next.anew === true) {
      requests += 1;
      lookAt = undefined;
    }
    sleep(next.afterSeconds);
  }
}

function nextOf(answer: Answer): Next {
  const { status } = answer;
  if (status === 0) return { kind: "again", why: `no answer (${answer.error})`, afterSeconds: AGAIN_SECONDS };
  const told = (field: string): string => {
    const value = answer.json(field);
    return typeof value === "string" ? value : "";
  };
  if (status === 202) return { kind: "look", at: String(answer.headers["Location"]) };
  if (status === 200) {
    const state = told("status");
    if (state === "accepted") return { kind: "accepted", commandId: told("command_id") };
    if (state === "queued" || state === "sent") return { kind: "look", at: `/api/v1/commands/${told("command_id")}` };
    const why = `${state} (${told("reason")})`;
    return state === "not_connected"
      ? { kind: "again", why, afterSeconds: AGAIN_SECONDS, anew: true }
      : { kind: "failed", why };
  }
  const why = `${status} ${told("code")}`;
  const retryAfter = Number(answer.headers["Retry-After"]);
  if (status === 503 && retryAfter > 0) return { kind: "again", why, afterSeconds: retryAfter };
  if (status === 409 && told("code") === "idempotency_running")
    return { kind: "again", why, afterSeconds: AGAIN_SECONDS };
  return { kind: "failed", why };
}
