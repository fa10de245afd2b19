// The handshake. Rules of the library, each of which crashes the process when broken: take everything out of `req` before the
// first await; never touch `res` after `onAborted`; and see request-deadline.ts for when an answer may be given.

import { setImmediate as nextTurn } from "node:timers/promises";
import type { Result } from "@dynamo-csms/proto/result";
import { sourceOf } from "@dynamo-csms/proto/source-address";
import type { Logger } from "pino";
import type * as uws from "uWebSockets.js";
import type { GatewayMetrics } from "../metrics.ts";
import type { UpgradeClaim } from "./admission.ts";
import type { AttemptLimit } from "./attempt-limits.ts";
import type { AttemptLog } from "./attempt-log.ts";
import type { Connection } from "./connection.ts";
import type { Entrant } from "./connection-life.ts";
import type { HandshakeGate, Turn } from "./handshake-gate.ts";
import type { ListenerProfile } from "./listener.ts";
import { refusalAnswer, type Refusal } from "./refusals.ts";
import type { Kept } from "./socket-events.ts";
import type { StandIn } from "./stand-in-response.ts";
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
  gate: Pick<HandshakeGate, "enter" | "done" | "stopping">;
  newConnection(entrant: Entrant | undefined): Connection;
  /** Makes a session of a connection whose upgrade is over. */
  begin(connection: Connection): void;
  /** What an upgrade is made within, and why: stand-in-response.ts. */
  standIn: Pick<StandIn, "within">;
  attempts: Pick<AttemptLog, "refused">;
  /** The metric counts all refusals; the log may not be filled by one address that tries all day. */
  refusalLines: Pick<AttemptLimit, "take">;
  metrics: Pick<GatewayMetrics, "handshakeRejected" | "handshakeDuration">;
  log: Logger;
}

/** Logins that fail are answered no earlier after their turn: unknown and known stations cost the same, and guessing is slow. */
const FAILED_LOGIN_MS = 250;
const FAILED_LOGINS: ReadonlySet<Refusal["reason"]> = new Set([
  "bad-credentials",
  "bad-client-certificate",
  "control-plane-away",
  "too-many-attempts",
]);

const serviceUnavailable = { outcome: "service_unavailable" } as const;

/** What is said to whoever does not get through the gate. None of it is about who they are. */
const TURNED_AWAY: Record<Exclude<Turn, "admitted">, Refusal> = {
  full: { reason: "too-many-handshakes", attempt: serviceUnavailable },
  overdue: { reason: "handshake-overdue", attempt: serviceUnavailable },
  stopping: { reason: "draining", attempt: serviceUnavailable },
  "hung-up": { reason: "hung-up" },
};

/** Where a request stands whose connection may end at any time. */
interface Caller {
  gone: boolean;
  whenGone(): void;
}

/** What an upgrade needs of its request. */
interface Asked {
  res: uws.HttpResponse;
  key: string;
  context: uws.us_socket_context_t;
}

/** The library's two callbacks for requests: those for an upgrade, and all others. */
export function createUpgrade(deps: Deps) {
  const { life, gate, metrics, log } = deps;

  /** The session begins behind the library's own part of it. */
  function upgradeTo(
    entrant: Entrant | undefined,
    { res, key, context }: Asked,
    token: string,
    extensions: string,
  ): void {
    const connection = deps.newConnection(entrant);
    deps.standIn.within(() => res.upgrade<Kept>({ connection }, key, token, extensions, context));
    deps.begin(connection);
  }

  const refuse = (error: Refusal): Result<Entrant, Refusal> => ({ ok: false, error });

  async function waitForTurn(source: string, caller: Caller): Promise<Turn> {
    if (caller.gone) return "hung-up";
    const { turn, leave } = gate.enter(source);
    caller.whenGone = leave;
    return turn;
  }

  async function enter(claim: UpgradeClaim, caller: Caller): Promise<Result<Entrant, Refusal>> {
    try {
      if (caller.gone) return refuse(TURNED_AWAY["hung-up"]);
      const entered = await life.enter(claim, () => !caller.gone);
      // The stop signal came meanwhile: an opened session would be closed again at once.
      if (!gate.stopping || !entered.ok) return entered;
      life.abandon(entered.value);
      return refuse(TURNED_AWAY.stopping);
    } catch (error) {
      log.error({ error, path: claim.path.slice(0, 200) }, "admission failed");
      return refuse({ reason: "internal", attempt: serviceUnavailable });
    } finally {
      gate.done();
    }
  }

  function tellRefused(claim: UpgradeClaim, refusal: Refusal): void {
    metrics.handshakeRejected.inc({ reason: refusal.reason });
    deps.attempts.refused(claim, refusal);
    const { reason, detail, attempt } = refusal;
    const { remoteAddress, listener } = claim;
    // What is about the node and not about who asks is rationed for all together: in a storm each comes from elsewhere.
    if (deps.refusalLines.take(isTurnedAway(refusal) ? reason : sourceOf(remoteAddress)))
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
    const caller: Caller = { gone: false, whenGone: () => undefined };
    res.onAborted(() => {
      caller.gone = true;
      caller.whenGone();
    });
    const claim = readClaim(res, req, deps.listener, deps.claims);
    const asked: Asked = { res, key: req.getHeader("sec-websocket-key"), context };
    const extensions = req.getHeader("sec-websocket-extensions");
    await nextTurn();

    const turn = await waitForTurn(sourceOf(claim.remoteAddress), caller);
    const admittedAtMs = performance.now();
    const entered = turn === "admitted" ? await enter(claim, caller) : refuse(TURNED_AWAY[turn]);
    if (!entered.ok && FAILED_LOGINS.has(entered.error.reason))
      await new Promise((resolve) => setTimeout(resolve, admittedAtMs + FAILED_LOGIN_MS - performance.now()));
    metrics.handshakeDuration.observe(
      { outcome: entered.ok ? "accepted" : "refused" },
      (performance.now() - startedAtMs) / 1_000,
    );
    if (entered.ok) {
      const entrant = entered.value;
      if (caller.gone) return life.abandon(entrant);
      const { token, version } = entrant.subprotocol;
      // Negotiated for 2.x alone (2.0.1 Part 4 §3.3); 1.6 knows nothing beyond RFC 6455.
      return upgradeTo(entrant, asked, token, version === "1.6" ? "" : extensions);
    }
    tellRefused(claim, entered.error);
    if (caller.gone) return;
    if (entered.error.reason === "no-common-subprotocol" && deps.unsupportedSubprotocol === "closeAfterUpgrade")
      return upgradeTo(undefined, asked, "", "");
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

const isTurnedAway = ({ reason }: Refusal): boolean =>
  Object.values(TURNED_AWAY).some((each) => each.reason === reason);

/** No request that we answer has a body, and one that never ends would keep its connection. */
const announcesBody = (req: uws.HttpRequest): boolean =>
  req.getHeader("content-length") !== "" || req.getHeader("transfer-encoding") !== "";

function answerRefusal(res: uws.HttpResponse, refusal: Refusal): void {
  const { status, headers, body } = refusalAnswer(refusal, Math.random);
  res.cork(() => {
    res.writeStatus(status);
    for (const [name, value] of headers) res.writeHeader(name, value);
    // The connection ends with the answer: the next attempt may be meant for another node.
    res.end(body, true);
  });
}
