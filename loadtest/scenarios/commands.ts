// Commands over REST at a steady rate while the fleet works.
import { commandScenario, commandsInTime, optionsFor } from "../lib/options.ts";
import { connecting, load } from "../lib/phases.ts";
import { playFleet } from "../lib/play-fleet.ts";
import { sendCommand } from "../lib/send-commands.ts";
import { readSettings } from "../lib/settings.ts";
import { summaryOf } from "../lib/summary.ts";

const settings = readSettings();
const phases = [connecting(settings), load(settings)];

export const options = optionsFor(settings, phases, {
  scenarios: { commands: commandScenario(settings, phases) },
  thresholds: commandsInTime(),
});
export const fleet = () => playFleet(settings, phases);
export const command = () => sendCommand(settings);
export const handleSummary = summaryOf;
