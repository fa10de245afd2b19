// Ever faster, step by step, to see where it breaks: the figures of each step are kept, none of them is a limit.
import { optionsFor } from "../lib/options.ts";
import { connecting, type Phase } from "../lib/phases.ts";
import { playFleet } from "../lib/play-fleet.ts";
import { readSettings } from "../lib/settings.ts";
import { summaryOf } from "../lib/summary.ts";

const read = readSettings();
const settings = { ...read, rate: read.steps[0] };
const phases: Phase[] = [
  connecting(settings),
  ...settings.steps.map((rate) => ({ name: `${rate}/s`, seconds: settings.stepSeconds, rate })),
];

export const options = optionsFor(settings, phases, { timely: [], thresholds: { ocpp_call_errors: ["rate<=1"] } });
export const fleet = () => playFleet(settings, phases);
export const handleSummary = summaryOf;
