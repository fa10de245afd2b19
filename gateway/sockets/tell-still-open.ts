import { setImmediate as nextTurn } from "node:timers/promises";
import type { LaneEvent } from "@dynamo-csms/proto/lane-event";
import { SUBPROTOCOL } from "@dynamo-csms/proto/ocpp-version";
import type { Session } from "./session.ts";

interface Deps {
  nodeId: string;
  sessions: { all(): Session[] };
  /** Stores an event of the connection under its next number. */
  appendEvent(session: Session, event: LaneEvent): void;
}

/** As many as one turn of the event loop may take. */
const BATCH = 500;

/**
 * Writes into the lane that every open connection of this node is there, for readers that took the node for dead
 * meanwhile. A connection that closes before its turn came is left out: its `closed` is the last word on it.
 */
export async function tellStillOpen({ nodeId, sessions, appendEvent }: Deps): Promise<void> {
  const all = sessions.all();
  for (let at = 0; at < all.length; at += BATCH) {
    if (at > 0) await nextTurn();
    for (const session of all.slice(at, at + BATCH)) {
      if (!session.open) continue;
      const { remoteAddress, version } = session;
      appendEvent(session, { event: "stillOpen", nodeId, remoteAddress, subprotocol: SUBPROTOCOL[version] });
    }
  }
}
