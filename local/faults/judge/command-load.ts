import type { FaultySystem, StationCredentials } from "../contract.ts";

/** A command as REST told of it. */
export interface SentCommand {
  id: string;
  /** The final state that REST answered with; undefined: 202, it goes on. */
  told: string | undefined;
  action: string;
}

/** What REST answered, beside the commands that it took. */
export interface CommandTally {
  sent: SentCommand[];
  /** Statuses without a command, by count: "503" where it said when to try again, "0" where nobody answered. */
  refused: Record<string, number>;
  /** Answers that no outage excuses. */
  lies: string[];
}

/** By how much may go wrong: reading, changing, and what must never happen twice. */
const COMMANDS: Record<StationCredentials["version"], { path: string; calls: [string, object][] }> = {
  "1.6": {
    path: "/api/v1/ocpp16/send_command",
    calls: [
      ["GetConfiguration", { key: ["HeartbeatInterval"] }],
      ["TriggerMessage", { requestedMessage: "Heartbeat" }],
      ["UnlockConnector", { connectorId: 1 }],
      ["RemoteStartTransaction", { idTag: "FLEET-TAG", connectorId: 1 }],
    ],
  },
  "2.0.1": {
    path: "/api/v1/ocpp201/send_command",
    calls: [
      ["TriggerMessage", { requestedMessage: "Heartbeat" }],
      ["UnlockConnector", { evseId: 1, connectorId: 1 }],
    ],
  },
  "2.1": { path: "/api/v1/ocpp21/send_command", calls: [["TriggerMessage", { requestedMessage: "Heartbeat" }]] },
};
/** More than REST takes in a fault that holds answers back would only pile up here. */
const MAX_OPEN = 200;

/** Sends commands to random stations at a steady rate until it is stopped. Never rejects. */
export function startCommands(system: FaultySystem, stations: readonly StationCredentials[], perSecond: number) {
  const tally: CommandTally = { sent: [], refused: {}, lies: [] };
  const open = new Set<Promise<void>>();
  const one = async () => {
    const station = stations[Math.floor(Math.random() * stations.length)] as StationCredentials;
    const { path, calls } = COMMANDS[station.version];
    const [command, payload] = calls[Math.floor(Math.random() * calls.length)] as [string, object];
    const body = { charge_point_id: station.identity, command, payload, timeout_seconds: 10 };
    const answer = await system.rest("POST", path, body);
    note(tally, command, answer);
  };
  const timer = setInterval(() => {
    if (open.size >= MAX_OPEN) return;
    const sending = one().finally(() => open.delete(sending));
    open.add(sending);
  }, 1_000 / perSecond);
  return {
    tally,
    /** Resolves when REST has answered all that were sent. */
    async stop(): Promise<CommandTally> {
      clearInterval(timer);
      await Promise.all(open);
      return tally;
    },
  };
}

function note(tally: CommandTally, action: string, answer: Awaited<ReturnType<FaultySystem["rest"]>>): void {
  const body = answer.body as { command_id?: string; status?: string; code?: string } | undefined;
  const id = body?.command_id;
  if (id !== undefined) {
    tally.sent.push({ id, action, told: answer.status === 202 ? undefined : body?.status });
    return;
  }
  const name = String(answer.status);
  tally.refused[name] = (tally.refused[name] ?? 0) + 1;
  if (answer.status === 503 && !answer.headers.has("retry-after"))
    tally.lies.push(`REST answered 503 without Retry-After (${body?.code})`);
  if (answer.status >= 500 && answer.status !== 503)
    tally.lies.push(`REST answered ${answer.status} ${JSON.stringify(body).slice(0, 200)}`);
  if (answer.status === 200)
    tally.lies.push(`REST answered 200 without a command: ${JSON.stringify(body).slice(0, 200)}`);
}
