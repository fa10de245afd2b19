// Everything once, quickly: all versions, transactions, commands. The check of every change, on whatever machine is there: its
// limits find what is broken or stands still, not what is a little slower. What is lost or wrong has no limit but none.
import { commandScenario, commandsInTime, optionsFor } from "../lib/options.ts";
import { connecting, load } from "../lib/phases.ts";
import { playFleet } from "../lib/play-fleet.ts";
import { sendCommand } from "../lib/send-commands.ts";
import { readSettings } from "../lib/settings.ts";
import { summaryOf } from "../lib/summary.ts";

const SLACK = 6;
const settings = readSettings();
const phases = [connecting(settings), load(settings)];

export const options = optionsFor(settings, phases, {
  scenarios: { commands: commandScenario(settings, phases) },
  slack: SLACK,
  thresholds: { ...commandsInTime(SLACK), ocpp_call_errors: ["rate<0.01"] },
});
export const fleet = () => playFleet(settings, phases);
export const command = () => sendCommand(settings);
export const handleSummary = summaryOf;
