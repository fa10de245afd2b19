import type { X509Certificate } from "node:crypto";
import type { Result } from "@dynamo-csms/proto/result";
import { sourceOf } from "@dynamo-csms/proto/source-address";
import type { Logger } from "pino";
import type { HttpResponse, TemplatedApp } from "uWebSockets.js";
import type { GatewayMetrics } from "../metrics.ts";
import type { UpgradeClaim } from "./admission.ts";
import { AttemptLimit } from "./attempt-limits.ts";
import type { AttemptLog } from "./attempt-log.ts";
import type { CloseCode } from "./close-codes.ts";
import { Connection } from "./connection.ts";
import type { Entrant } from "./connection-life.ts";
import { Keepalive } from "./keepalive.ts";
import { keepaliveTimes } from "./keepalive-times.ts";
import { COMPRESSION, createApp, listen } from "./listen.ts";
import { HandshakeGate } from "./handshake-gate.ts";
import type { ListenerProfile, ListenerSettings } from "./listener.ts";
import type { Refusal } from "./refusals.ts";
import { remotePeer, type TrustedProxies } from "./remote-address.ts";
import { RequestDeadline } from "./request-deadline.ts";
import type { Session, StationSettings, StationSocket } from "./session.ts";
import { createSocketEvents, type Kept } from "./socket-events.ts";
import { createStandIn } from "./stand-in-response.ts";
import { createUpgrade } from "./upgrade.ts";
import { textOf } from "./upgrade-claim.ts";

export interface SocketServerDeps {
  host: string;
  listeners: readonly ListenerSettings[];
  maxFrameBytes: number;
  pingIntervalMs: number;
  idleTimeoutMs: number;
  /** 0: as many as come. */
  handshakesPerSecond: number;
  /** TCP connections without a request at the same time. */
  maxWithoutRequest: number;
  unsupportedSubprotocol: "reject" | "closeAfterUpgrade";
  trustedProxies: TrustedProxies;
  clientCertificateHeader?: string;
  clientAuthorities?: readonly X509Certificate[];
  life: {
    enter(claim: UpgradeClaim, stillWanted: () => boolean): Promise<Result<Entrant, Refusal>>;
    abandon(entrant: Entrant): void;
    open(entrant: Entrant, socket: StationSocket): Session;
    end(session: Session, code: number, text: string, byUs: CloseCode | undefined): void;
  };
  attempts: Pick<AttemptLog, "refused" | "withoutRequest">;
  /** False: nothing was done with the frame. */
  takePlainCall(session: Session, frame: Uint8Array): boolean;
  /** `bytes` is the receiver's to keep. */
  receiveFrame(session: Session, bytes: Uint8Array, isBinary: boolean): void;
  metrics: Pick<
    GatewayMetrics,
    | "handshakeRejected"
    | "handshakeDuration"
    | "handshakesWaiting"
    | "handshakesAdmitted"
    | "connectionsWithoutRequest"
    | "faults"
  >;
  log: Logger;
}

/** Bytes that may wait for one station that does not read; past it the next frame is dropped and the station let go. */
const MAX_BACKPRESSURE_BYTES = 64 * 1024;
/** From the TCP connection to the end of the request's headers, the TLS handshake included. */
const REQUEST_DEADLINE_MS = 10_000;

/** Starts listening on every listener; all behave alike but for what they prove of a station. Rejects when a port cannot be had. */
export async function startSocketServer(deps: SocketServerDeps) {
  const { attempts, metrics, log } = deps;
  const every = (ms: number, run: () => void) => {
    const timer = setInterval(run, ms);
    return { cancel: () => clearInterval(timer) };
  };
  const nowMs = () => performance.now();
  const keepalive = new Keepalive({ every, random: Math.random });
  const requests = new RequestDeadline({
    deadlineMs: REQUEST_DEADLINE_MS,
    maxWaiting: deps.maxWithoutRequest,
    every,
    nowMs,
  });
  const refusalLines = new AttemptLimit({ burst: 50, perSecond: 0.5, maxKeys: 10_000, nowMs });
  const gate = new HandshakeGate({ perSecond: deps.handshakesPerSecond, every, nowMs, metrics });
  const standIn = await createStandIn();
  const keepAlive = (connection: Connection, record: StationSettings) =>
    keepalive.keep(connection, keepaliveTimes(record, deps));
  const newConnection = (entrant: Entrant | undefined) => new Connection({ entrant, keepalive: keepAlive });

  function appFor(settings: ListenerSettings): TemplatedApp {
    const { profile } = settings;
    const { behavior, begin } = createSocketEvents({ ...deps, keepalive });
    const upgrade = createUpgrade({
      ...deps,
      listener: profile,
      claims: deps,
      gate,
      newConnection,
      begin,
      standIn,
      refusalLines,
    });
    return (
      createApp(settings)
        .ws<Kept>("/*", {
          maxPayloadLength: deps.maxFrameBytes,
          maxBackpressure: MAX_BACKPRESSURE_BYTES,
          // The keepalive knows each station's own time.
          idleTimeout: 0,
          sendPingsAutomatically: false,
          // What comes in is inflated up to maxPayloadLength and no further.
          compression: COMPRESSION,
          upgrade: upgrade.upgrade,
          ...behavior,
        })
        .any("/*", upgrade.other)
        // Comes with each TCP connection, 1 for the beginning, and then stands for it.
        .filter((connection: HttpResponse, count) => {
          if (count !== 1) return;
          const socketAddress = textOf(connection.getRemoteAddressAsText());
          requests.accepted(connection, sourceOf(socketAddress), () => withoutRequest(profile, socketAddress));
        })
    );
  }

  function withoutRequest(profile: ListenerProfile, socketAddress: string): void {
    metrics.connectionsWithoutRequest.inc({ listener: String(profile) });
    const unsaid = { proxiedAddress: "", forwardedFor: "", forwardedProto: "" };
    const peer = remotePeer({ socketAddress, ...unsaid }, deps.trustedProxies);
    // Of a proxy it tells nothing of a station: they try whether the port is open.
    if (profile !== 1 && !peer.headersTrusted) attempts.withoutRequest(peer.address, profile);
  }

  const apps: TemplatedApp[] = [];
  const ports: Partial<Record<ListenerProfile, number>> = {};
  try {
    for (const settings of deps.listeners) {
      const app = appFor(settings);
      apps.push(app);
      ports[settings.profile] = (await listen(app, deps.host, settings.port)).port;
    }
  } catch (error) {
    for (const app of apps) app.close();
    standIn.close();
    throw error;
  }
  log.debug({ ports }, "listening");

  return {
    /** Of each listener that there is. */
    ports: ports as Readonly<typeof ports>,
    /** Upgrades are answered 503 from now on, those that wait for their turn as well. */
    stopAccepting(): void {
      gate.stop();
    },
    /** Stops listening and drops whatever is still connected. */
    close(): void {
      keepalive.stop();
      requests.stop();
      for (const app of apps) app.close();
      standIn.close();
    },
  };
}
