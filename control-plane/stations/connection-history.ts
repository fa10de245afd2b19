/** The newest connection of a station, and what the organisation was told of it. */
export interface Connection {
  epoch: number;
  seq: number;
  nodeId: string;
  remoteAddress: string;
  ocppVersion: string;
  notes: string[];
  openedAt: Date;
  closedAt: Date | null;
  closeCode: number | null;
  closeReason: string | null;
  /** charge_point.connected went out, and no charge_point.disconnected since. */
  connectedTold: boolean;
  /** When charge_point.disconnected is to be told, unless the station is back before. */
  disconnectDueAt: Date | null;
}

export type ConnectionEvent = { epoch: number; seq: number; at: Date } & (
  | { kind: "opened"; nodeId: string; remoteAddress: string; ocppVersion: string; notes: string[] }
  | { kind: "closed"; code: number; reason: string }
);

/** Long enough for a failover or a deploy: else each would page the whole fleet. */
export const DISCONNECT_GRACE_MS = 60_000;

/**
 * What a station's connection is after one more event. Only a newer connection replaces one, and only its own end closes
 * it: the late close of an old socket changes nothing.
 * @returns the state, and whether charge_point.connected is to be told now.
 */
export function afterEvent(
  before: Connection | undefined,
  event: ConnectionEvent,
): { connection: Connection | undefined; tellConnected: boolean } {
  if (event.kind === "opened") {
    if (before !== undefined && event.epoch <= before.epoch) return { connection: before, tellConnected: false };
    const connection: Connection = {
      epoch: event.epoch,
      seq: event.seq,
      nodeId: event.nodeId,
      remoteAddress: event.remoteAddress,
      ocppVersion: event.ocppVersion,
      notes: event.notes,
      openedAt: event.at,
      closedAt: null,
      closeCode: null,
      closeReason: null,
      connectedTold: true,
      disconnectDueAt: null,
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
    disconnectDueAt: before.connectedTold ? new Date(event.at.getTime() + DISCONNECT_GRACE_MS) : null,
  };
  return { connection, tellConnected: false };
}
