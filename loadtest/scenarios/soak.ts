// One rate for long: what grows, grows here.
import { optionsFor } from "../lib/options.ts";
import { connecting, load } from "../lib/phases.ts";
import { playFleet } from "../lib/play-fleet.ts";
import { readSettings } from "../lib/settings.ts";
import { summaryOf } from "../lib/summary.ts";

const settings = readSettings();
const phases = [connecting(settings), load(settings)];

export const options = optionsFor(settings, phases);
export const fleet = () => playFleet(settings, phases);
export const handleSummary = summaryOf;
