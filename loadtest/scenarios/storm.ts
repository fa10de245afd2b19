// Every connection is dropped in one moment, and all come back at once.
import { optionsFor } from "../lib/options.ts";
import { connecting, type Phase } from "../lib/phases.ts";
import { playFleet } from "../lib/play-fleet.ts";
import { readSettings } from "../lib/settings.ts";
import { summaryOf } from "../lib/summary.ts";

const settings = readSettings();
const { durationSeconds, rate } = settings;
const phases: Phase[] = [
  connecting(settings),
  { name: "before", seconds: durationSeconds / 4, rate },
  { name: "storm", seconds: durationSeconds / 2, rate, drops: true },
  { name: "after", seconds: durationSeconds / 4, rate },
];

export const options = optionsFor(settings, phases, {
  timely: ["before", "after"],
  thresholds: { "reconnect_time{phase:storm}": ["p(99)<30000"], ocpp_connected: ["value==100"] },
});
export const fleet = () => playFleet(settings, phases);
export const handleSummary = summaryOf;
