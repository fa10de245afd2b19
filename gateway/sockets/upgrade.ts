// The handshake. Rules of the library, each of which crashes the process when broken: take everything out of `req` before the
// first await; never touch `res` after `onAborted`; and see request-deadline.ts for when an answer may be given.

import { setImmediate as nextTurn } from "node:timers/promises";
import type { Result } from "@dynamo-csms/proto/result";
import type { Logger } from "pino";
import type * as uws from "uWebSockets.js";
import type { GatewayMetrics } from "../metrics.ts";
import type { UpgradeClaim } from "./admission.ts";
import type { AttemptLimit } from "./attempt-limits.ts";
import type { AttemptLog } from "./attempt-log.ts";
import type { Connection } from "./connection.ts";
import type { Entrant } from "./connection-life.ts";
import type { ListenerProfile } from "./listener.ts";
import { refusalAnswer, type Refusal } from "./refusals.ts";
import type { Kept } from "./socket-events.ts";
import { readClaim, type ClaimSettings } from "./upgrade-claim.ts";

interface Deps {
  listener: ListenerProfile;
  claims: ClaimSettings;
  unsupportedSubprotocol: "reject" | "closeAfterUpgrade";
  life: {
    enter(claim: UpgradeClaim, stillWanted: () => boolean): Promise<Result<Entrant, Refusal>>;
    abandon(entrant: Entrant): void;
  };
  /** Shared by all listeners of the process. */
  gate: { accepting: boolean; handshakes: number };
  newConnection(entrant: Entrant | undefined): Connection;
  /** All open WebSockets of the listener. */
  open: ReadonlySet<uws.WebSocket<Kept>>;
  attempts: Pick<AttemptLog, "refused">;
  /** The metric counts all refusals; the log may not be filled by one address that tries all day. */
  refusalLines: Pick<AttemptLimit, "take">;
  metrics: Pick<GatewayMetrics, "handshakeRejected" | "handshakeDuration">;
  log: Logger;
}

/** Handshakes under way; each lasts as long as Redis may take. Past it a storm is told to come back. */
const MAX_HANDSHAKES = 10_000;
/** Logins that fail are answered no earlier: unknown and known stations cost the same, and guessing is slow. */
const FAILED_LOGIN_MS = 250;
const FAILED_LOGINS: ReadonlySet<Refusal["reason"]> = new Set([
  "bad-credentials",
  "bad-client-certificate",
  "control-plane-away",
  "too-many-attempts",
]);

/** The library's two callbacks for requests: those for an upgrade, and all others. */
export function createUpgrade(deps: Deps) {
  const { life, gate, metrics, log } = deps;
  const serviceUnavailable = { outcome: "service_unavailable" } as const;

  /**
   * Upgrades outside the response's own cork: corked, this version of the library may close the new WebSocket at once,
   * having read its memory as that of the former response (uNetworking/uWebSockets#1929; seen with one in seven first
   * connections). Within another connection's cork it is the same as outside, without a warning on stderr each time.
   */
  function corkedElsewhere(run: () => void): void {
    const [lender] = deps.open;
    if (lender === undefined) run();
    else lender.cork(run);
  }

  async function enter(claim: UpgradeClaim, stillWanted: () => boolean): Promise<Result<Entrant, Refusal>> {
    const refuse = (error: Refusal): Result<Entrant, Refusal> => ({ ok: false, error });
    if (!gate.accepting) return refuse({ reason: "draining", attempt: serviceUnavailable });
    if (gate.handshakes >= MAX_HANDSHAKES)
      return refuse({ reason: "too-many-handshakes", attempt: serviceUnavailable });
    gate.handshakes += 1;
    try {
      const entered = await life.enter(claim, stillWanted);
      // The stop signal came meanwhile: an opened session would be closed again at once.
      if (gate.accepting || !entered.ok) return entered;
      life.abandon(entered.value);
      return refuse({ reason: "draining", attempt: serviceUnavailable });
    } catch (error) {
      log.error({ error, path: claim.path.slice(0, 200) }, "admission failed");
      return refuse({ reason: "internal", attempt: serviceUnavailable });
    } finally {
      gate.handshakes -= 1;
    }
  }

  function tellRefused(claim: UpgradeClaim, refusal: Refusal): void {
    metrics.handshakeRejected.inc({ reason: refusal.reason });
    deps.attempts.refused(claim, refusal);
    const { reason, detail, attempt } = refusal;
    const { remoteAddress, listener } = claim;
    if (deps.refusalLines.take(remoteAddress))
      log.info(
        { reason, detail, outcome: attempt?.outcome, path: claim.path.slice(0, 200), remoteAddress, listener },
        "handshake refused",
      );
  }

  async function onUpgrade(
    res: uws.HttpResponse,
    req: uws.HttpRequest,
    context: uws.us_socket_context_t,
  ): Promise<void> {
    const startedAtMs = performance.now();
    let aborted = false;
    res.onAborted(() => {
      aborted = true;
    });
    const claim = readClaim(res, req, deps.listener, deps.claims);
    const key = req.getHeader("sec-websocket-key");
    const extensions = req.getHeader("sec-websocket-extensions");
    await nextTurn();

    const entered = await enter(claim, () => !aborted);
    if (!entered.ok && FAILED_LOGINS.has(entered.error.reason))
      await new Promise((resolve) => setTimeout(resolve, startedAtMs + FAILED_LOGIN_MS - performance.now()));
    metrics.handshakeDuration.observe(
      { outcome: entered.ok ? "accepted" : "refused" },
      (performance.now() - startedAtMs) / 1_000,
    );
    const upgrade = (entrant: Entrant | undefined, token: string, offeredExtensions: string) =>
      corkedElsewhere(() =>
        res.upgrade<Kept>({ connection: deps.newConnection(entrant) }, key, token, offeredExtensions, context),
      );
    if (entered.ok) {
      const entrant = entered.value;
      if (aborted) return life.abandon(entrant);
      // Negotiated for 2.x alone (2.0.1 Part 4 §3.3); 1.6 knows nothing beyond RFC 6455.
      return upgrade(entrant, entrant.subprotocol.token, entrant.subprotocol.version === "1.6" ? "" : extensions);
    }
    tellRefused(claim, entered.error);
    if (aborted) return;
    if (entered.error.reason === "no-common-subprotocol" && deps.unsupportedSubprotocol === "closeAfterUpgrade")
      return upgrade(undefined, "", "");
    answerRefusal(res, entered.error);
  }

  return {
    upgrade(res: uws.HttpResponse, req: uws.HttpRequest, context: uws.us_socket_context_t): void {
      if (announcesBody(req)) return void res.close();
      onUpgrade(res, req, context).catch((error: unknown) => log.error({ error }, "upgrade failed"));
    },

    /** A request that asks for no WebSocket. */
    other(res: uws.HttpResponse, req: uws.HttpRequest): void {
      metrics.handshakeRejected.inc({ reason: "not-an-upgrade" });
      if (announcesBody(req)) return void res.close();
      let aborted = false;
      res.onAborted(() => {
        aborted = true;
      });
      void nextTurn().then(() => {
        if (!aborted) answerRefusal(res, { reason: "not-an-upgrade" });
      });
    },
  };
}

/** No request that we answer has a body, and one that never ends would keep its connection. */
const announcesBody = (req: uws.HttpRequest): boolean =>
  req.getHeader("content-length") !== "" || req.getHeader("transfer-encoding") !== "";

function answerRefusal(res: uws.HttpResponse, refusal: Refusal): void {
  const { status, headers, body } = refusalAnswer(refusal);
  res.cork(() => {
    res.writeStatus(status);
    for (const [name, value] of headers) res.writeHeader(name, value);
    // The connection ends with the answer: the next attempt may be meant for another node.
    res.end(body, true);
  });
}
