// What happens on a WebSocket between its upgrade and its close event. Rules of the library, each of which crashes the process
// or corrupts data when broken: a message's buffer is gone when the handler returns; a WebSocket throws on any use after its
// close event, which `end` and `close` bring about at once.

import type { Logger } from "pino";
import type * as uws from "uWebSockets.js";
import type { GatewayMetrics } from "../metrics.ts";
import type { CloseCode } from "./close-codes.ts";
import type { Connection } from "./connection.ts";
import type { Entrant } from "./connection-life.ts";
import type { Keepalive } from "./keepalive.ts";
import { keepaliveTimes } from "./keepalive-times.ts";
import type { Session, StationSocket } from "./session.ts";

/** What uWebSockets.js keeps for us: it copies the fields and forgets the object, so the connection is one field deep. */
export interface Kept {
  connection: Connection;
}

interface Deps {
  life: {
    open(entrant: Entrant, socket: StationSocket): Session;
    end(session: Session, code: number, text: string, byUs: CloseCode | undefined): void;
  };
  /** `bytes` is the receiver's to keep. */
  receiveFrame(session: Session, bytes: Uint8Array, isBinary: boolean): void;
  keepalive: Keepalive<Connection>;
  pingIntervalMs: number;
  idleTimeoutMs: number;
  /** All open WebSockets of the listener. */
  open: Set<uws.WebSocket<Kept>>;
  metrics: Pick<GatewayMetrics, "faults">;
  log: Logger;
}

/** The library's callbacks for one listener's WebSockets. */
export function createSocketEvents(deps: Deps) {
  const { life, keepalive, open, metrics, log } = deps;

  /** An exception that leaves a callback of the library ends the process, and with it every other station's connection. */
  function guarded(callback: "open" | "message" | "close", connection: Connection, run: () => void): void {
    try {
      run();
    } catch (error) {
      metrics.faults.inc({ where: callback });
      (connection.session?.log ?? log).error({ error, callback }, "fault while handling a connection");
      connection.close(1011, "internal error");
    }
  }

  function endSession(connection: Connection, code: number, text: string): void {
    const { session } = connection;
    connection.session = undefined;
    if (session !== undefined) life.end(session, code, text, connection.closedByUs);
  }

  function heard(ws: uws.WebSocket<Kept>): void {
    const { connection } = ws.getUserData();
    keepalive.heard(connection);
    connection.heard();
  }

  return {
    open(ws) {
      const { connection } = ws.getUserData();
      open.add(ws);
      connection.opened(ws);
      const { entrant } = connection;
      if (entrant === undefined) return connection.close(1002, "no subprotocol in common");
      keepalive.keep(connection, keepaliveTimes(entrant.record, deps));
      guarded("open", connection, () => {
        connection.session = life.open(entrant, connection);
        // Superseded while it was being opened: its close event came before there was a session to end.
        if (!connection.session.open) endSession(connection, connection.closedByUs ?? 1006, "");
      });
    },
    message(ws, message, isBinary) {
      heard(ws);
      const { connection } = ws.getUserData();
      const { session } = connection;
      if (session === undefined || !session.open) return;
      const bytes = Buffer.allocUnsafe(message.byteLength);
      bytes.set(new Uint8Array(message));
      guarded("message", connection, () => deps.receiveFrame(session, bytes, isBinary));
    },
    ping: heard,
    pong: heard,
    close(ws, code, message) {
      const { connection } = ws.getUserData();
      open.delete(ws);
      connection.closed();
      keepalive.remove(connection);
      const text = connection.wasLost
        ? "timed out: nothing was heard of the station"
        : Buffer.from(message).toString("utf8");
      guarded("close", connection, () => endSession(connection, code, text));
    },
  } satisfies uws.WebSocketBehavior<Kept>;
}
