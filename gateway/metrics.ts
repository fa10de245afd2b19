import { monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";
import { TalliedCounter } from "./tallied-counter.ts";
import { TalliedHistogram } from "./tallied-histogram.ts";

export type GatewayMetrics = ReturnType<typeof createMetrics>;

/** Up to the 30 s that a station has for an answer. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

const LAG_RESOLUTION_MS = 10;

/**
 * Every metric of this process. Labels are closed sets: an action, a code or a reason is checked against its list
 * before it becomes one ("unknown" or "other" else), and no label names a station.
 */
export function createMetrics(build: { version: string; nodeId: string }) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  new Gauge({
    name: "ocpp_build_info",
    help: "1, with the running version as label",
    labelNames: ["version", "node"],
    registers,
  }).set({ version: build.version, node: build.nodeId }, 1);
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  lag.enable();
  new Gauge({
    name: "ocpp_event_loop_lag_seconds",
    help: "99th percentile of the event loop's delay since the last scrape",
    registers,
    collect() {
      // What is measured is the time between two ticks of the timer: the timer's own pace is no lag.
      this.set(Math.max(0, lag.percentile(99) / 1e9 - LAG_RESOLUTION_MS / 1_000));
      lag.reset();
    },
  });

  return {
    registry,
    /** state: "open" for live sessions. */
    connections: new Gauge({
      name: "ocpp_connections",
      help: "Open connections of stations",
      labelNames: ["version", "state"] as const,
      registers,
    }),
    connectionsOpened: new Counter({
      name: "ocpp_connections_opened_total",
      help: "Connections opened",
      labelNames: ["version"] as const,
      registers,
    }),
    /** code: a CloseCode, 1001, 1006 or "other"; reason: a CloseReason (sockets/close-reasons.ts). */
    connectionsClosed: new Counter({
      name: "ocpp_connections_closed_total",
      help: "Connections closed, by close code and by why",
      labelNames: ["code", "reason"] as const,
      registers,
    }),
    connectionDuration: new Histogram({
      name: "ocpp_connection_duration_seconds",
      help: "How long connections lasted",
      buckets: [1, 10, 60, 600, 3_600, 21_600, 86_400, 604_800],
      registers,
    }),
    /** reason: a RefusalReason (sockets/refusals.ts). */
    handshakeRejected: new Counter({
      name: "ocpp_handshake_rejected_total",
      help: "Handshakes refused before the upgrade",
      labelNames: ["reason"] as const,
      registers,
    }),
    handshakesWaiting: new Gauge({
      name: "ocpp_handshakes_waiting",
      help: "Handshakes that wait for their turn, since more come than HANDSHAKES_PER_SECOND",
      registers,
    }),
    handshakesAdmitted: new Counter({
      name: "ocpp_handshakes_admitted_total",
      help: "Handshakes that had their turn, whatever became of them then",
      registers,
    }),
    handshakeDuration: new Histogram({
      name: "ocpp_handshake_duration_seconds",
      help: "From the upgrade request to our answer; refused logins are held back on purpose",
      labelNames: ["outcome"] as const,
      buckets: SECONDS,
      registers,
    }),
    /** listener: 1 plain, 2 TLS, 3 mutual TLS. */
    connectionsWithoutRequest: new Counter({
      name: "ocpp_connections_without_request_total",
      help: "TCP connections that ended before they brought a request: failed TLS handshakes, silence, headers too slow",
      labelNames: ["listener"] as const,
      registers,
    }),
    takeovers: new Counter({
      name: "ocpp_takeovers_total",
      help: "Connections that took their station over from a connection that had not ended yet",
      labelNames: ["former"] as const,
      registers,
    }),
    /** direction: in | out; type: call | callResult | callError | callResultError | send | broken; action: a known one, "unknown", or "" where the frame has none. */
    frames: new TalliedCounter({
      name: "ocpp_frames_total",
      help: "Frames",
      labelNames: ["direction", "type", "action", "version"] as const,
      registers,
    }),
    frameBytes: new TalliedHistogram({
      name: "ocpp_frame_bytes",
      help: "Size of received frames",
      labelNames: [],
      buckets: [64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576],
      registers,
    }),
    validationFailures: new Counter({
      name: "ocpp_frame_validation_failures_total",
      help: "Payloads that break their schema",
      labelNames: ["action", "version"] as const,
      registers,
    }),
    /** direction: in (from receipt to our answer) | out (from sending to the station's answer). */
    callDuration: new TalliedHistogram({
      name: "ocpp_call_duration_seconds",
      help: "Time to the answer of a CALL",
      labelNames: ["direction", "action", "outcome"] as const,
      buckets: SECONDS,
      registers,
    }),
    callsInFlight: new Gauge({
      name: "ocpp_calls_in_flight",
      help: "CALLs without answer yet",
      labelNames: ["direction"] as const,
      registers,
    }),
    backpressureDrops: new Counter({
      name: "ocpp_backpressure_drops_total",
      help: "Connections let go because they or the lane could not keep up",
      labelNames: ["why"] as const,
      registers,
    }),
    publishDuration: new TalliedHistogram({
      name: "ocpp_stream_publish_duration_seconds",
      help: "From the append of a lane entry to Redis' acknowledgement",
      labelNames: [],
      buckets: SECONDS,
      registers,
    }),
    publishErrors: new Counter({
      name: "ocpp_stream_publish_errors_total",
      help: "Lane entries whose append failed at first",
      registers,
    }),
    laneHealthy: new Gauge({
      name: "ocpp_lane_healthy",
      help: "1 while entries get through, as durable as promised",
      registers,
    }),
    laneWaitingBytes: new Gauge({
      name: "ocpp_lane_waiting_bytes",
      help: "Bytes packed and not acknowledged by Redis yet",
      registers,
    }),
    laneGaps: new Counter({
      name: "ocpp_lane_gaps_total",
      help: "Times that Redis lost acknowledged entries which could not be filled again",
      registers,
    }),
    /** where: upgrade | open | message | close (of a WebSocket) | stored (a frame's word from the lane). */
    faults: new Counter({
      name: "ocpp_faults_total",
      help: "Exceptions of ours, held to the one connection that they came up with",
      labelNames: ["where"] as const,
      registers,
    }),
    /** outcome: result | refusal | unavailable. */
    decisions: new Counter({
      name: "ocpp_decisions_total",
      help: "CALLs put to the control plane",
      labelNames: ["action", "outcome"] as const,
      registers,
    }),
    unmatchedAnswers: new Counter({
      name: "ocpp_unmatched_answers_total",
      help: "Answers of stations to no open CALL: late or invented, dropped",
      labelNames: ["version"] as const,
      registers,
    }),
    /** direction: in (the station refuses an answer of ours) | out (we refuse one of its). */
    callResultErrors: new Counter({
      name: "ocpp_call_result_errors_total",
      help: "CALLRESULTERRORs of OCPP 2.1",
      labelNames: ["direction"] as const,
      registers,
    }),
    /** quirk: a QuirkName; mode: accept (it was forgiven) | report_only (it would have been). */
    quirks: new Counter({
      name: "ocpp_quirks_total",
      help: "What quirk profiles forgave stations, or would have",
      labelNames: ["quirk", "mode"] as const,
      registers,
    }),
    /** state: a CommandState. */
    commands: new Counter({
      name: "ocpp_commands_total",
      help: "Commands by their final state",
      labelNames: ["state"] as const,
      registers,
    }),
    draining: new Gauge({ name: "ocpp_draining", help: "1 from the stop signal on", registers }),
  };
}
