// The gateways are stopped in order and started again, one after the other, by whoever runs this; the fleet works on.
import { optionsFor } from "../lib/options.ts";
import { connecting, load } from "../lib/phases.ts";
import { playFleet } from "../lib/play-fleet.ts";
import { readSettings } from "../lib/settings.ts";
import { summaryOf } from "../lib/summary.ts";

const settings = readSettings();
const phases = [connecting(settings), load(settings)];

export const options = optionsFor(settings, phases, {
  thresholds: {
    "reconnect_time{phase:load}": ["p(99)<15000"],
    "ocpp_reconnects{phase:load}": ["count>0"],
    ocpp_connected: ["value==100"],
  },
});
export const fleet = () => playFleet(settings, phases);
export const handleSummary = summaryOf;
