import { check } from "k6";
import http from "k6/http";
import { commandErrors, commandRoundtrip } from "./metrics.ts";
import type { Settings, Unit, Version } from "./settings.ts";
import { tellRunner } from "./tell-runner.ts";

/** CALLs without consequences, by version, with the address that they go to. */
const COMMANDS: Record<Version, { path: string; calls: [string, Record<string, unknown>][] }> = {
  "1.6": {
    path: "/api/v1/ocpp16/send_command",
    calls: [
      ["TriggerMessage", { requestedMessage: "Heartbeat" }],
      ["GetConfiguration", { key: ["HeartbeatInterval"] }],
      ["UnlockConnector", { connectorId: 1 }],
    ],
  },
  "2.0.1": { path: "/api/v1/ocpp201/send_command", calls: callsOf2x() },
  "2.1": { path: "/api/v1/ocpp21/send_command", calls: callsOf2x() },
};

function callsOf2x(): [string, Record<string, unknown>][] {
  const variable = { component: { name: "OCPPCommCtrlr" }, variable: { name: "HeartbeatInterval" } };
  return [
    ["TriggerMessage", { requestedMessage: "Heartbeat" }],
    ["GetVariables", { getVariableData: [variable] }],
    ["UnlockConnector", { evseId: 1, connectorId: 1 }],
  ];
}

/** A command without consequences for a station of the fleet, taken at random: the address and what is sent there. */
export function anyCommand({ units }: Pick<Settings, "units">): { path: string; body: object } {
  const unit = units[Math.floor(Math.random() * units.length)] as Unit;
  const { path, calls } = COMMANDS[unit.version];
  const [command, payload] = calls[Math.floor(Math.random() * calls.length)] as [string, Record<string, unknown>];
  return { path, body: { charge_point_id: unit.identity, command, payload, timeout_seconds: 10 } };
}

/** Sends one command to one station of the fleet, taken at random, and waits for its answer. */
export function sendCommand(settings: Settings): void {
  const { apiUrl, apiKey } = settings;
  const { path, body } = anyCommand(settings);
  const answer = http.post(`${apiUrl}${path}`, JSON.stringify(body), {
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    tags: { name: path },
    timeout: "20s",
  });
  const isAccepted = answer.status === 200 && answer.json("status") === "accepted";
  check(answer, { "the command was accepted by its station": () => isAccepted });
  commandErrors.add(!isAccepted);
  if (isAccepted) {
    commandRoundtrip.add(answer.timings.duration);
    tellRunner({ command: answer.json("command_id") });
  }
}
