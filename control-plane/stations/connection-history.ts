/** The newest connection of a station, and what the organisation was told of it. */
export interface Connection {
  epoch: number;
  seq: number;
  nodeId: string;
  remoteAddress: string;
  /** 1 plain, 2 TLS, 3 mutual TLS; null: the gateway did not say. */
  listener: 1 | 2 | 3 | null;
  ocppVersion: string;
  notes: string[];
  openedAt: Date;
  closedAt: Date | null;
  /** Null with `closedAt` set: nobody saw the end, its gateway process was taken for dead. */
  closeCode: number | null;
  closeReason: string | null;
  /** charge_point.connected went out, and no charge_point.disconnected since. */
  connectedTold: boolean;
  /** charge_point.disconnected is to be told after the grace time, unless the station is back before. */
  disconnectDue: boolean;
}

export type ConnectionEvent = { epoch: number; seq: number; at: Date } & (
  | {
      kind: "opened" | "stillOpen";
      nodeId: string;
      remoteAddress: string;
      listener: 1 | 2 | 3 | null;
      ocppVersion: string;
      notes: string[];
    }
  | { kind: "closed"; code: number; reason: string }
);

/** Long enough for a failover or a deploy: else each would page the whole fleet. */
export const DISCONNECT_GRACE_MS = 60_000;

/**
 * What a station's connection is after one more event. Only a newer connection replaces one, and only its own end closes
 * it: the late close of an old socket changes nothing. A connection whose gateway process was taken for dead, and which
 * that process then says it still has, is open again; one whose beginning was lost begins with that word.
 * @returns the state, and whether charge_point.connected is to be told now.
 */
export function afterEvent(
  before: Connection | undefined,
  event: ConnectionEvent,
): { connection: Connection | undefined; tellConnected: boolean } {
  if (event.kind !== "closed") {
    if (before !== undefined && event.epoch <= before.epoch) return reopened(before, event);
    const connection: Connection = {
      epoch: event.epoch,
      seq: event.seq,
      nodeId: event.nodeId,
      remoteAddress: event.remoteAddress,
      listener: event.listener,
      ocppVersion: event.ocppVersion,
      notes: event.notes,
      openedAt: event.at,
      closedAt: null,
      closeCode: null,
      closeReason: null,
      connectedTold: true,
      disconnectDue: false,
    };
    return { connection, tellConnected: before?.connectedTold !== true };
  }
  if (before === undefined || event.epoch !== before.epoch || before.closedAt !== null)
    return { connection: before, tellConnected: false };
  const connection: Connection = {
    ...before,
    seq: event.seq,
    closedAt: event.at,
    closeCode: event.code,
    closeReason: event.reason,
    disconnectDue: before.connectedTold,
  };
  return { connection, tellConnected: false };
}

function reopened(before: Connection, event: ConnectionEvent): { connection: Connection; tellConnected: boolean } {
  const takenForDead = before.closedAt !== null && before.closeCode === null;
  // Said after what we know of it: a lane that is read again says it once more, and by then the process may really be dead.
  if (event.kind !== "stillOpen" || !takenForDead || event.epoch !== before.epoch || event.seq <= before.seq)
    return { connection: before, tellConnected: false };
  const connection: Connection = {
    ...before,
    seq: event.seq,
    closedAt: null,
    closeReason: null,
    connectedTold: true,
    disconnectDue: false,
  };
  return { connection, tellConnected: !before.connectedTold };
}
