import type { LaneEvent } from "@dynamo-csms/proto/lane-event";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { ok, type Result } from "@dynamo-csms/proto/result";
import type { Logger } from "pino";
import type { GatewayMetrics } from "../metrics.ts";
import type { StationOwnership, Takeover } from "../ownership/station-ownership.ts";
import type { TakeoverAftermath } from "../ownership/takeover-aftermath.ts";
import type { Admitted, UpgradeClaim } from "./admission.ts";
import { closeLabels, type CloseCode } from "./close-codes.ts";
import type { Refusal } from "./refusals.ts";
import { Session, type StationSocket } from "./session.ts";
import type { SessionRegistry } from "./session-registry.ts";

/** A station that passed admission and owns its identity: what the upgrade needs, and later the session. */
export interface Entrant extends Admitted {
  takeover: Takeover;
  remoteAddress: string;
}

export interface ConnectionLifeDeps {
  nodeId: string;
  admit(claim: UpgradeClaim): Promise<Result<Admitted, Refusal>>;
  /** False: nothing can be stored now, so nobody new is let in. */
  storageReady(): boolean;
  ownership: Pick<StationOwnership, "newAttempt" | "take">;
  aftermath: TakeoverAftermath;
  /** Gives up the ownership of an ended connection. Never rejects. */
  ownershipEnded(identity: StationIdentity, epoch: number): Promise<void>;
  sessions: SessionRegistry;
  /** Stores an event of the connection under its next number. */
  appendEvent(session: Session, event: LaneEvent): void;
  sessionOpened(session: Session): void;
  sessionClosed(session: Session): void;
  metrics: Pick<
    GatewayMetrics,
    "connections" | "connectionsOpened" | "connectionsClosed" | "connectionDuration" | "takeovers"
  >;
  nowMs(): number;
  log: Logger;
}

/** The life of a connection as four moments: enter (before the upgrade), abandon (instead of it), open, end. */
export function createConnectionLife(deps: ConnectionLifeDeps) {
  const { sessions, metrics, log, nodeId } = deps;
  const openedAtMs = new WeakMap<Session, number>();

  return {
    /**
     * Checks the claim and takes ownership. From here on the former connection of the station counts as replaced, so
     * whoever gets an Entrant must open or abandon it. `stillWanted` is asked before anything is taken. Never rejects.
     */
    async enter(claim: UpgradeClaim, stillWanted: () => boolean): Promise<Result<Entrant, Refusal>> {
      const refuse = (reason: Refusal["reason"]): Result<Entrant, Refusal> => ({ ok: false, error: { reason } });
      if (!deps.storageReady()) return refuse("storage-away");
      // A record that was changed between the check and the takeover: the claim is judged once more, by the new one.
      for (let round = 1; round <= 2; round++) {
        const admitted = await deps.admit(claim);
        if (!admitted.ok) return admitted;
        if (!stillWanted()) return refuse("hung-up");
        const { identity, record } = admitted.value;
        const attempt = deps.ownership.newAttempt();
        try {
          const takeover = await deps.ownership.take(identity, record.rev, attempt);
          if (takeover !== undefined) return ok({ ...admitted.value, takeover, remoteAddress: claim.remoteAddress });
        } catch (error) {
          log.warn({ station: identity, error: (error as Error).message }, "ownership could not be taken");
          void deps.aftermath.uncertain(identity, attempt);
          break;
        }
      }
      return refuse("storage-away");
    },

    /** The station hung up between the check and the upgrade. */
    abandon(entrant: Entrant): void {
      void deps.aftermath.abandoned(entrant.identity, entrant.takeover);
    },

    /** The socket is there: the session begins, and the one that it replaces ends. The session may be closed already when this returns. */
    open(entrant: Entrant, socket: StationSocket): Session {
      const { identity, record, takeover, remoteAddress, subprotocol, notes } = entrant;
      const session = new Session(
        { identity, version: subprotocol.version, epoch: takeover.epoch, record, remoteAddress },
        socket,
        log,
      );
      openedAtMs.set(session, deps.nowMs());
      metrics.connectionsOpened.inc({ version: session.version });
      metrics.connections.inc({ version: session.version, state: "open" });
      deps.appendEvent(session, { event: "opened", nodeId, remoteAddress, subprotocol: subprotocol.token, notes });
      session.log.info({ version: session.version, remoteAddress, notes }, "station connected");
      const replacedHere = sessions.get(identity) !== undefined;
      const newest = sessions.add(session);
      deps.sessionOpened(session);
      // Opened later than its successor: both were on their way at the same time.
      if (!newest) session.close(1000, "superseded by a newer connection");
      if (takeover.former.node !== "") metrics.takeovers.inc({ former: replacedHere ? "this-node" : "other-node" });
      void deps.aftermath.tellFormer(identity, takeover);
      return session;
    },

    /** The socket is gone, whoever closed it. `byUs`: the code that we closed it with. */
    end(session: Session, code: number, text: string, byUs: CloseCode | undefined): void {
      session.open = false;
      const labels = closeLabels(code, text, byUs);
      metrics.connectionsClosed.inc(labels);
      metrics.connections.dec({ version: session.version, state: "open" });
      metrics.connectionDuration.observe((deps.nowMs() - (openedAtMs.get(session) ?? deps.nowMs())) / 1_000);
      sessions.remove(session);
      deps.sessionClosed(session);
      // `text` is the station's own: cut, so that it cannot fill the lane.
      deps.appendEvent(session, { event: "closed", nodeId, code: byUs ?? code, reason: text.slice(0, 123) });
      session.log.info({ code: byUs ?? code, reason: labels.reason, detail: text }, "station disconnected");
      void deps.ownershipEnded(session.identity, session.epoch);
    },
  };
}
