import type { LaneEvent } from "@dynamo-csms/proto/lane-event";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { ok, type Result } from "@dynamo-csms/proto/result";
import type { Logger } from "pino";
import type { GatewayMetrics } from "../metrics.ts";
import type { TakenStation } from "../ownership/contested-takeover.ts";
import {
  TAKEOVER_WINDOW_MS,
  TAKEOVERS_ALLOWED,
  type Contested,
  type Stay,
  type Takeover,
} from "../ownership/station-ownership.ts";
import type { TakeoverAftermath } from "../ownership/takeover-aftermath.ts";
import type { Admitted, UpgradeClaim } from "./admission.ts";
import type { AttemptLog } from "./attempt-log.ts";
import { closeLabels, isForBadManners, type CloseCode } from "./close-codes.ts";
import type { Refusal } from "./refusals.ts";
import { Session, SLOW_READER, type Handshake, type StationSocket } from "./session.ts";
import type { SessionRegistry } from "./session-registry.ts";
import { StationSlots } from "./station-slots.ts";

/** A station that passed admission and owns its identity: what the upgrade needs, and later the session. */
export interface Entrant extends Admitted {
  takeover: Takeover;
  remoteAddress: string;
  handshake: Handshake;
  /** The connection that had to be found dead before this one was let in. */
  contestedBy?: Contested;
}

export interface ConnectionLifeDeps {
  nodeId: string;
  /** For the reason of a close. */
  maxFrameBytes: number;
  admit(claim: UpgradeClaim): Promise<Result<Admitted, Refusal>>;
  /** False: nothing can be stored now, so nobody new is let in. */
  storageReady(): boolean;
  newAttempt(): string;
  /** Rejects when Redis is away. */
  take(
    identity: StationIdentity,
    newcomer: { attempt: string; admittedRev: number; remoteAddress: string },
  ): Promise<TakenStation>;
  aftermath: TakeoverAftermath;
  /** Gives up the ownership of an ended connection. Never rejects. */
  ownershipEnded(identity: StationIdentity, epoch: number, stay: Stay): Promise<void>;
  sessions: SessionRegistry;
  attempts: Pick<AttemptLog, "note">;
  /** Stores an event of the connection under its next number. */
  appendEvent(session: Session, event: LaneEvent): void;
  sessionClosed(session: Session): void;
  metrics: Pick<
    GatewayMetrics,
    | "connections"
    | "connectionsOpened"
    | "connectionsClosed"
    | "connectionDuration"
    | "backpressureDrops"
    | "takeovers"
    | "quirks"
  >;
  nowMs(): number;
  log: Logger;
}

/** One that waits for a dead holder to be found out, and the next; more of one station would use up what all share. */
const TAKEOVERS_AT_ONCE = 2;

/**
 * A connection that lasted this long is of use to its station, and costs little: ten thousand that come back as often are
 * 500 handshakes a second. To slow those down would keep a fleet on a bad network offline that could have been served.
 */
const LASTING_MS = 20_000;

/** The life of a connection as four moments: enter (before the upgrade), abandon (instead of it), open, end. */
export function createConnectionLife(deps: ConnectionLifeDeps) {
  const { sessions, metrics, log, nodeId } = deps;
  const contestedAtMs = new WeakMap<Session, number>();
  const taking = new StationSlots(TAKEOVERS_AT_ONCE);

  function tellContested(session: Session, techInfo: string): void {
    session.log.warn({ techInfo }, "station contested");
    const type = "StationIdentityContested";
    deps.appendEvent(session, { event: "securityEvent", nodeId, type, techInfo: techInfo.slice(0, 255) });
  }

  return {
    /**
     * Checks the claim and takes ownership. From here on the former connection of the station counts as replaced, so
     * whoever gets an Entrant must open or abandon it. `stillWanted` is asked before anything is taken. Never rejects.
     */
    async enter(claim: UpgradeClaim, stillWanted: () => boolean): Promise<Result<Entrant, Refusal>> {
      const refuse = (error: Refusal): Result<Entrant, Refusal> => ({ ok: false, error });
      const storageAway: Refusal = { reason: "storage-away", attempt: { outcome: "service_unavailable" } };
      if (!deps.storageReady()) return refuse(storageAway);
      // A record that was changed between the check and the takeover: the claim is judged once more, by the new one.
      for (let round = 1; round <= 2; round++) {
        const admitted = await deps.admit(claim);
        if (!admitted.ok) return admitted;
        if (!stillWanted()) return refuse({ reason: "hung-up" });
        const { identity, record } = admitted.value;
        const { path, subprotocols, listener, remoteAddress } = claim;
        // Counted behind the credentials: strangers cannot take a station's turn.
        if (!taking.enter(identity)) {
          const detail = "earlier handshakes of it wait to see whether the connection that holds it still answers";
          return refuse({ reason: "handshakes-under-way", attempt: { outcome: "flapping", identity, detail } });
        }
        const attempt = deps.newAttempt();
        let taken: TakenStation;
        try {
          taken = await deps.take(identity, { attempt, admittedRev: record.rev, remoteAddress });
        } catch (error) {
          log.warn({ station: identity, error: (error as Error).message }, "ownership could not be taken");
          void deps.aftermath.uncertain(identity, attempt);
          break;
        } finally {
          taking.leave(identity);
        }
        if (taken.kind === "contested") {
          const detail = `${taken.by.takeovers} takeovers in 10 minutes, and the connection that holds the station answers`;
          return refuse({
            reason: "contested",
            attempt: { outcome: "flapping", identity, detail },
          });
        }
        if (taken.kind === "flapping") {
          const waitSeconds = Math.ceil(taken.waitMs / 1_000);
          const detail = `${taken.times} connections in a row that did not last ${LASTING_MS / 1_000} s; it is let in again in ${waitSeconds} s`;
          return refuse({
            reason: "flapping",
            retryAfterSeconds: waitSeconds,
            attempt: { outcome: "flapping", identity, detail },
          });
        }
        if (taken.kind === "taken")
          return ok({
            ...admitted.value,
            takeover: taken.takeover,
            ...(taken.contestedBy && { contestedBy: taken.contestedBy }),
            remoteAddress,
            handshake: { path, subprotocols, listener },
          });
      }
      return refuse(storageAway);
    },

    /** The station hung up between the check and the upgrade. */
    abandon(entrant: Entrant): void {
      void deps.aftermath.abandoned(entrant.identity, entrant.takeover);
    },

    /** The socket is there: the session begins, and the one that it replaces ends. The session may be closed already when this returns. */
    open(entrant: Entrant, socket: StationSocket): Session {
      const { identity, takeover, remoteAddress, notes, quirks, certificate, contestedBy } = entrant;
      const session = new Session(
        {
          ...entrant,
          version: entrant.subprotocol.version,
          epoch: takeover.epoch,
          openedAtMs: deps.nowMs(),
          ...(certificate && { clientCertificate: certificate }),
        },
        socket,
        log,
      );
      metrics.connectionsOpened.inc({ version: session.version });
      metrics.connections.inc({ version: session.version, state: "open" });
      deps.appendEvent(session, openedEvent(nodeId, entrant));
      for (const { quirk, mode, detail } of quirks) {
        metrics.quirks.inc({ quirk, mode });
        deps.appendEvent(session, { event: "quirk", nodeId, quirk, mode, count: 1, detail });
      }
      const facts = { version: session.version, remoteAddress, listener: session.listener, notes };
      log.debug({ station: identity, epoch: session.epoch, ...facts }, "station connected");
      deps.attempts.note(session, "connected", { notes: [...notes, ...quirks.map(({ quirk }) => quirk)] });
      // Told once as the limit is passed, not for each of the reconnects of a station behind a bad line.
      if (contestedBy !== undefined && contestedBy.takeovers <= TAKEOVERS_ALLOWED)
        tellContested(session, `${contestedBy.takeovers} takeovers in 10 minutes; the former connection was dead`);
      const replacedHere = sessions.get(identity) !== undefined;
      const newest = sessions.add(session);
      // Opened later than its successor: both were on their way at the same time.
      if (!newest) session.close(1000, "superseded by a newer connection");
      if (takeover.former.node !== "") metrics.takeovers.inc({ former: replacedHere ? "this-node" : "other-node" });
      void deps.aftermath.tellFormer(identity, takeover);
      return session;
    },

    /** A newcomer wanted this connection's station, and had to wait since the station answered here. */
    contested(session: Session, techInfo: string): void {
      const nowMs = deps.nowMs();
      // The newcomer tries again and again: its own attempts tell of each.
      if (nowMs - (contestedAtMs.get(session) ?? -TAKEOVER_WINDOW_MS) < TAKEOVER_WINDOW_MS) return;
      contestedAtMs.set(session, nowMs);
      tellContested(session, techInfo);
    },

    /** The socket is gone, whoever closed it. `byUs`: the code that we closed it with. */
    end(session: Session, code: number, text: string, byUs: CloseCode | undefined): void {
      session.open = false;
      const labels = closeLabels(code, text, byUs);
      metrics.connectionsClosed.inc(labels);
      metrics.connections.dec({ version: session.version, state: "open" });
      const lastedMs = deps.nowMs() - session.openedAtMs;
      metrics.connectionDuration.observe(lastedMs / 1_000);
      const slowReader = byUs === 1013 && text === SLOW_READER;
      if (slowReader) metrics.backpressureDrops.inc({ why: "slow-reader" });
      sessions.remove(session);
      deps.sessionClosed(session);
      // The library ends the connection without a close frame; 1009 is what it means (RFC 6455 §7.4.1).
      const tooLarge = code === 1006 && labels.reason === "too-large";
      const limit = `a frame over the limit of ${deps.maxFrameBytes} bytes`;
      if (labels.reason === "too-large")
        deps.attempts.note(session, "frame_too_large", { detail: tooLarge ? limit : text.slice(0, 123) });
      if (labels.reason === "superseded") deps.attempts.note(session, "superseded");
      const toldCode = byUs ?? (tooLarge ? 1009 : code);
      // `text` is the station's own: cut, so that it cannot fill the lane.
      const reason = tooLarge ? limit : text.slice(0, 123);
      deps.appendEvent(session, { event: "closed", nodeId, code: toldCode, reason });
      const { identity, epoch } = session;
      // One that never reads is somebody's fault to look for; the rest come and go by the thousand.
      log[slowReader ? "info" : "debug"](
        { station: identity, epoch, code: toldCode, reason: labels.reason, detail: text },
        "station disconnected",
      );
      void deps.ownershipEnded(identity, epoch, stayOf(lastedMs, byUs));
    },
  };
}

/** What ended by our doing says nothing of the station; what broke the rules and was closed for it does. */
function stayOf(lastedMs: number, byUs: CloseCode | undefined): Stay {
  if (lastedMs >= LASTING_MS) return "lasting";
  return byUs === undefined || isForBadManners(byUs) ? "short" : "neither";
}

function openedEvent(nodeId: string, { subprotocol, remoteAddress, notes, handshake, verifier, certificate }: Entrant) {
  return {
    event: "opened",
    nodeId,
    remoteAddress,
    subprotocol: subprotocol.token,
    notes,
    listener: handshake.listener,
    ...(verifier && { verifier }),
    ...(certificate && {
      clientCertificate: { fingerprint: certificate.fingerprint, commonName: certificate.commonName },
    }),
  } satisfies LaneEvent;
}
