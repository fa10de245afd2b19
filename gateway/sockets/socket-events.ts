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
    abandon(entrant: Entrant): void;
    open(entrant: Entrant, socket: StationSocket): Session;
    end(session: Session, code: number, text: string, byUs: CloseCode | undefined): void;
  };
  /** The short way of plain CALLs. False: nothing was done with the frame. `frame` is gone when this returns. */
  takePlainCall(session: Session, frame: Uint8Array): boolean;
  /** `bytes` is the receiver's to keep. */
  receiveFrame(session: Session, bytes: Uint8Array, isBinary: boolean): void;
  keepalive: Pick<Keepalive, "keep" | "heard" | "remove">;
  pingIntervalMs: number;
  idleTimeoutMs: number;
  metrics: Pick<GatewayMetrics, "faults">;
  log: Logger;
}

/** The library's callbacks for the WebSockets of a listener, and what makes a session of an upgraded one. */
export function createSocketEvents(deps: Deps) {
  const { life, keepalive, metrics, log } = deps;

  /** An exception that leaves a callback of the library ends the process, and with it every other station's connection. */
  function guarded(callback: "open" | "message" | "close", connection: Connection, run: () => void): void {
    try {
      run();
    } catch (error) {
      fault(callback, connection, error);
    }
  }

  function fault(callback: "open" | "message" | "close", connection: Connection, error: unknown): void {
    metrics.faults.inc({ where: callback });
    (connection.session?.log ?? log).error({ error, callback }, "fault while handling a connection");
    connection.close(1011, "internal error");
  }

  function endSession(connection: Connection, code: number, text: string): void {
    const { session } = connection;
    connection.session = undefined;
    if (session !== undefined) life.end(session, code, text, connection.closedByUs);
  }

  function heard(connection: Connection): void {
    keepalive.heard(connection);
    connection.heard();
  }

  const behavior = {
    /** Nothing more, until the library's own part of the upgrade is over: see upgrade.ts. */
    open(ws) {
      ws.getUserData().connection.opened(ws);
    },
    message(ws, message, isBinary) {
      const { connection } = ws.getUserData();
      heard(connection);
      const { session } = connection;
      if (session === undefined || !session.open) return;
      // As `guarded`, without a function made for every frame.
      try {
        const frame = new Uint8Array(message);
        if (!isBinary && deps.takePlainCall(session, frame)) return;
        const bytes = Buffer.allocUnsafe(frame.length);
        bytes.set(frame);
        deps.receiveFrame(session, bytes, isBinary);
      } catch (error) {
        fault("message", connection, error);
      }
    },
    ping: (ws) => heard(ws.getUserData().connection),
    pong: (ws) => heard(ws.getUserData().connection),
    close(ws, code, message) {
      const { connection } = ws.getUserData();
      connection.closed();
      keepalive.remove(connection);
      const text = connection.wasLost
        ? "timed out: nothing was heard of the station"
        : Buffer.from(message).toString("utf8");
      guarded("close", connection, () => endSession(connection, code, text));
    },
  } satisfies uws.WebSocketBehavior<Kept>;

  /** The upgrade is over: the session begins. */
  function begin(connection: Connection): void {
    const entrant = connection.takeEntrant();
    if (entrant === undefined) return connection.close(1002, "no subprotocol in common");
    if (!connection.isOpen) {
      metrics.faults.inc({ where: "upgrade" });
      log.warn({ station: entrant.identity }, "the WebSocket library closed a connection in its upgrade");
      return life.abandon(entrant);
    }
    keepalive.keep(connection, keepaliveTimes(entrant.record, deps));
    guarded("open", connection, () => {
      connection.session = life.open(entrant, connection);
      // Superseded while it was being opened: its close event came before there was a session to end.
      if (!connection.session.open) endSession(connection, connection.closedByUs ?? 1006, "");
    });
  }

  return { behavior, begin };
}
