// The only file that knows uWebSockets.js. Its rules, each of which crashes the process or corrupts data when broken:
// take everything out of `req` before the first await; never touch `res` after `onAborted`; a message's buffer is gone
// when the handler returns; a WebSocket throws on any use after its close event, which `end` brings about at once.
// Long for that reason: whatever touches an object of the library stays here, and what does not is in its own file.

import type { Result } from "@dynamo-csms/proto/result";
import type { Logger } from "pino";
import * as uws from "uWebSockets.js";
import type { GatewayMetrics } from "../metrics.ts";
import type { UpgradeClaim } from "./admission.ts";
import { AttemptLimit } from "./attempt-limits.ts";
import type { CloseCode } from "./close-codes.ts";
import { Connection } from "./connection.ts";
import type { Entrant } from "./connection-life.ts";
import { PingWheel } from "./ping-wheel.ts";
import { refusalAnswer, type Refusal } from "./refusals.ts";
import { remotePeer, type TrustedProxies } from "./remote-address.ts";
import type { Session } from "./session.ts";

export interface SocketServerDeps {
  host: string;
  port: number;
  maxFrameBytes: number;
  pingIntervalMs: number;
  idleTimeoutMs: number;
  unsupportedSubprotocol: "reject" | "closeAfterUpgrade";
  trustedProxies: TrustedProxies;
  life: {
    enter(claim: UpgradeClaim, stillWanted: () => boolean): Promise<Result<Entrant, Refusal>>;
    abandon(entrant: Entrant): void;
    open(
      entrant: Entrant,
      socket: { send(text: string): boolean; close(code: CloseCode, reason: string): void },
    ): Session;
    end(session: Session, code: number, text: string, byUs: CloseCode | undefined): void;
  };
  /** `bytes` is the receiver's to keep. */
  receiveFrame(session: Session, bytes: Uint8Array, isBinary: boolean): void;
  metrics: Pick<GatewayMetrics, "handshakeRejected" | "handshakeDuration" | "faults">;
  log: Logger;
}

/** Bytes that may wait for one station that does not read; past it the next frame is dropped and the station let go. */
const MAX_BACKPRESSURE_BYTES = 64 * 1024;
/** Handshakes under way; each lasts as long as Redis may take. Past it a storm is told to come back. */
const MAX_HANDSHAKES = 10_000;
/** Logins that fail are answered no earlier: unknown and known stations cost the same, and guessing is slow. */
const FAILED_LOGIN_MS = 250;

/** What uWebSockets.js keeps for us: it copies the fields and forgets the object, so the connection is one field deep. */
interface Kept {
  connection: Connection;
}

/** Starts listening. Rejects when the port cannot be had. */
export async function startSocketServer(deps: SocketServerDeps) {
  const { life, metrics, log } = deps;
  const wheel = new PingWheel<Connection>(deps.pingIntervalMs, {
    every: (ms, run) => {
      const timer = setInterval(run, ms);
      return { cancel: () => clearInterval(timer) };
    },
  });
  // The metric counts them all; the log may not be filled by one address that tries all day.
  const refusalLines = new AttemptLimit({ burst: 50, perSecond: 0.5, maxKeys: 10_000, nowMs: () => performance.now() });
  let accepting = true;
  let handshakes = 0;
  const open = new Set<uws.WebSocket<Kept>>();

  /**
   * Upgrades outside the response's own cork: corked, this version of the library may close the new WebSocket at once,
   * having read its memory as that of the former response (uNetworking/uWebSockets#1929; seen with one in seven first
   * connections). Within another connection's cork it is the same as outside, without a warning on stderr each time.
   */
  function upgrade(run: () => void): void {
    const [lender] = open;
    if (lender === undefined) run();
    else lender.cork(run);
  }

  const behavior: uws.WebSocketBehavior<Kept> = {
    maxPayloadLength: deps.maxFrameBytes,
    maxBackpressure: MAX_BACKPRESSURE_BYTES,
    // Silence from the station's side only; our pings do not count. The library rounds to 4 s.
    idleTimeout: Math.ceil(deps.idleTimeoutMs / 4_000) * 4,
    sendPingsAutomatically: false,
    // Used where it is negotiated: 2.x alone (2.0.1 Part 4 §3.3). What comes in is inflated up to maxPayloadLength and no
    // further; what goes out is short and stays uncompressed, which RFC 7692 leaves to the sender.
    compression: uws.SHARED_COMPRESSOR | uws.SHARED_DECOMPRESSOR,
    upgrade: (res, req, context) => {
      onUpgrade(res, req, context).catch((error: unknown) => log.error({ error }, "upgrade failed"));
    },
    open(ws) {
      const { connection } = ws.getUserData();
      open.add(ws);
      connection.opened(ws);
      if (connection.entrant === undefined) return connection.close(1002, "no subprotocol in common");
      wheel.add(connection);
      const { entrant } = connection;
      guarded("open", connection, () => {
        connection.session = life.open(entrant, connection);
        // Superseded while it was being opened: its close event came before there was a session to end.
        if (!connection.session.open) endSession(connection, connection.closedByUs ?? 1006, "");
      });
    },
    message(ws, message, isBinary) {
      const { connection } = ws.getUserData();
      const { session } = connection;
      if (session === undefined || !session.open) return;
      const bytes = Buffer.allocUnsafe(message.byteLength);
      bytes.set(new Uint8Array(message));
      guarded("message", connection, () => deps.receiveFrame(session, bytes, isBinary));
    },
    close(ws, code, message) {
      const { connection } = ws.getUserData();
      open.delete(ws);
      connection.closed();
      wheel.remove(connection);
      guarded("close", connection, () => endSession(connection, code, Buffer.from(message).toString("utf8")));
    },
  };

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
    const claim = readClaim(res, req, deps.trustedProxies);
    const key = req.getHeader("sec-websocket-key");
    const extensions = req.getHeader("sec-websocket-extensions");

    const entered = await enter(claim, () => !aborted);
    if (!entered.ok && entered.error.reason === "bad-credentials")
      await new Promise((resolve) => setTimeout(resolve, startedAtMs + FAILED_LOGIN_MS - performance.now()));
    metrics.handshakeDuration.observe(
      { outcome: entered.ok ? "accepted" : "refused" },
      (performance.now() - startedAtMs) / 1_000,
    );
    if (!entered.ok) {
      metrics.handshakeRejected.inc({ reason: entered.error.reason });
      if (refusalLines.take(claim.remoteAddress))
        log.info(
          { ...entered.error, path: claim.path.slice(0, 200), remoteAddress: claim.remoteAddress },
          "handshake refused",
        );
      if (aborted) return;
      const closing =
        entered.error.reason === "no-common-subprotocol" && deps.unsupportedSubprotocol === "closeAfterUpgrade";
      if (closing) upgrade(() => res.upgrade<Kept>({ connection: new Connection(undefined) }, key, "", "", context));
      else answerRefusal(res, entered.error);
      return;
    }
    const entrant = entered.value;
    if (aborted) return life.abandon(entrant);
    const compress = entrant.subprotocol.version !== "1.6";
    upgrade(() =>
      res.upgrade<Kept>(
        { connection: new Connection(entrant) },
        key,
        entrant.subprotocol.token,
        compress ? extensions : "",
        context,
      ),
    );
  }

  async function enter(claim: UpgradeClaim, stillWanted: () => boolean): Promise<Result<Entrant, Refusal>> {
    if (!accepting) return { ok: false, error: { reason: "draining" } };
    if (handshakes >= MAX_HANDSHAKES) return { ok: false, error: { reason: "too-many-handshakes" } };
    handshakes += 1;
    try {
      const entered = await life.enter(claim, stillWanted);
      // The stop signal came meanwhile: an opened session would be closed again at once.
      if (accepting || !entered.ok) return entered;
      life.abandon(entered.value);
      return { ok: false, error: { reason: "draining" } };
    } catch (error) {
      log.error({ error, path: claim.path.slice(0, 200) }, "admission failed");
      return { ok: false, error: { reason: "internal" } };
    } finally {
      handshakes -= 1;
    }
  }

  const app = uws
    .App()
    .ws("/*", behavior)
    .any("/*", (res) => {
      metrics.handshakeRejected.inc({ reason: "not-an-upgrade" });
      answerRefusal(res, { reason: "not-an-upgrade" });
    });
  const port = await listen(app, deps.host, deps.port);

  return {
    port,
    /** Upgrades are answered 503 from now on. */
    stopAccepting(): void {
      accepting = false;
    },
    /** Stops listening and drops whatever is still connected. */
    close(): void {
      wheel.stop();
      app.close();
    },
  };
}

function readClaim(res: uws.HttpResponse, req: uws.HttpRequest, trusted: TrustedProxies): UpgradeClaim {
  const text = (bytes: ArrayBuffer) => Buffer.from(bytes).toString("latin1");
  const peer = remotePeer(
    {
      socketAddress: text(res.getRemoteAddressAsText()),
      proxiedAddress: text(res.getProxiedRemoteAddressAsText()),
      forwardedFor: req.getHeader("x-forwarded-for"),
      forwardedProto: req.getHeader("x-forwarded-proto"),
    },
    trusted,
  );
  // A repeated header is one list; getHeader would give the first alone.
  const offered: string[] = [];
  req.forEach((name, value) => {
    if (name === "sec-websocket-protocol") offered.push(value);
  });
  return {
    path: req.getUrl(),
    subprotocols: offered.join(","),
    authorization: req.getHeader("authorization"),
    remoteAddress: peer.address,
    tls: peer.tls,
  };
}

function answerRefusal(res: uws.HttpResponse, refusal: Refusal): void {
  const { status, headers, body } = refusalAnswer(refusal);
  res.cork(() => {
    res.writeStatus(status);
    for (const [name, value] of headers) res.writeHeader(name, value);
    // The connection ends with the answer: the next attempt may be meant for another node.
    res.end(body, true);
  });
}

function listen(app: uws.TemplatedApp, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    // Exclusive: without it a second gateway on the port would silently share it.
    const listening = (socket: uws.us_listen_socket | false) => {
      if (socket === false) reject(new Error(`cannot listen on ${host}:${port}: is the port in use?`));
      else resolve(uws.us_socket_local_port(socket));
    };
    app.listen(host, port, listening);
  });
}
