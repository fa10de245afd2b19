// The whole system is replaced by another release, process by process, by whoever runs this; the fleet works on, and commands come in.
import { commandScenario, optionsFor } from "../lib/options.ts";
import { insistOnCommand } from "../lib/insist-on-command.ts";
import { connecting, load } from "../lib/phases.ts";
import { playFleet } from "../lib/play-fleet.ts";
import { readSettings } from "../lib/settings.ts";
import { summaryOf } from "../lib/summary.ts";

const settings = readSettings();
const phases = [connecting(settings), load(settings)];

// How long answers take while a dozen processes start is told, not judged: that is a matter of the machine.
export const options = optionsFor(settings, phases, {
  timely: [],
  scenarios: { commands: commandScenario(settings, phases) },
  thresholds: {
    "ocpp_reconnects{phase:load}": ["count>0"],
    ocpp_connected: ["value==100"],
    command_errors: ["rate==0"],
    dropped_iterations: ["count==0"],
  },
});
export const fleet = () => playFleet(settings, phases);
export const command = () => insistOnCommand(settings);
export const handleSummary = summaryOf;
