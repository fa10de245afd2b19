import type { StationCredentials } from "../contract.ts";
import type { Origin } from "./fleet-process-context.ts";
import type { HistogramCounts } from "./histogram.ts";
import type { FleetSettings } from "./settings.ts";

/** What a process of the fleet is started with. */
export interface FleetBeginning {
  /** With their places among all stations of the fleet. */
  stations: { index: number; credentials: StationCredentials }[];
  origins: readonly Origin[];
  idTag: string;
  ledger: string;
  settings: FleetSettings;
  seed: number;
  /** No other process has it; in each message id. */
  messageIdPrefix: string;
}

/** What the fleet tells its processes. Each is answered with a report. */
export type FleetOrder =
  | { do: "begin"; with: FleetBeginning }
  | { do: "report" }
  | { do: "resetTimes" }
  | { do: "pace"; messagesPerSecond: number }
  | { do: "connect"; withinMs: number }
  | { do: "dropAll"; withinMs: number }
  | { do: "stopReading"; count: number }
  | { do: "configure"; settings: Partial<FleetSettings> }
  | { do: "flush" }
  | { do: "close" };

/** Where one process stands. */
export interface FleetReport {
  stations: number;
  connected: number;
  /** Connected, with nothing to say. */
  settled: number;
  waiting: number;
  sent: number;
  acknowledged: number;
  errors: number;
  refusals: Record<string, number>;
  closes: Record<string, number>;
  handshakeMs: HistogramCounts;
  answerMs: HistogramCounts;
  /** Since its start. */
  cpuMs: number;
  rssBytes: number;
}

export interface NumberedOrder {
  n: number;
  order: FleetOrder;
}

export interface NumberedReport {
  n: number;
  report: FleetReport;
}
