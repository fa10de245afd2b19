import type { KeepaliveTimes } from "./keepalive.ts";
import type { StationSettings } from "./session.ts";

interface Defaults {
  pingIntervalMs: number;
  idleTimeoutMs: number;
}

/**
 * The times of one station: the process's, or those of its quirk profile. Dead is who was silent for three of its intervals,
 * and never sooner than the process's idle time. Without pings of ours a station says no more than its Heartbeats.
 */
export function keepaliveTimes(record: StationSettings, { pingIntervalMs, idleTimeoutMs }: Defaults): KeepaliveTimes {
  const quirk = record.quirks?.ping_interval;
  const idleSeconds = Math.floor(idleTimeoutMs / 1_000);
  if (quirk?.mode !== "accept")
    return { pingSeconds: Math.max(1, Math.floor(pingIntervalMs / 1_000)), silenceSeconds: idleSeconds };
  const pingSeconds = Math.max(0, Math.floor(quirk.seconds));
  const signOfLifeSeconds = pingSeconds > 0 ? pingSeconds : record.heartbeatIntervalSeconds;
  return { pingSeconds, silenceSeconds: Math.max(3 * signOfLifeSeconds, idleSeconds) };
}
