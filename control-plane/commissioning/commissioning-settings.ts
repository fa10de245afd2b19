import type { ConfigReader } from "../config-reader.ts";
import type { CheckDeadlines } from "./advance-checks.ts";

export interface CommissioningSettings {
  deadlinesMs: CheckDeadlines;
}

/**
 * Reads COMMISSIONING_*_SECONDS. A Heartbeat comes by itself after one interval, so twice that is waited for one, and a
 * station that restarts on site has some minutes to connect.
 */
export function readCommissioningSettings(read: ConfigReader, heartbeatIntervalSeconds: number): CommissioningSettings {
  const seconds = (name: string, fallback: number) =>
    read.integer(`COMMISSIONING_${name}_SECONDS`, fallback, 1, 86_400) * 1_000;
  return {
    deadlinesMs: {
      ocpp_connection: seconds("CONNECTION", 300),
      heartbeat: seconds("HEARTBEAT", 2 * heartbeatIntervalSeconds + 60),
      meter_calibration: seconds("METER", 120),
      firmware_version: seconds("FIRMWARE", 120),
    },
  };
}
