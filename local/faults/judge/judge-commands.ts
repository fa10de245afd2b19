import type { FaultySystem } from "../contract.ts";
import type { SentCommand } from "./command-load.ts";
import type { ReceivedCommand } from "./segment.ts";

interface CommandRow {
  id: string;
  state: string;
  final: boolean;
  overdue: boolean;
}

/** Past its deadline by this much a command must have its final state: what the sweep and an intake that catches up take. */
const GRACE_SECONDS = 30;
const ANSWERED = new Set(["accepted", "rejected", "error"]);

/**
 * Follows all commands of a run to their ends. What the stations received, what REST said and what Postgres holds must be
 * one story: exactly one final state, told as it is, and nothing put before a station twice.
 */
export class CommandJudge {
  readonly #commands = new Map<string, SentCommand & { fault: string }>();
  readonly #receipts = new Map<string, { times: number; answered: boolean }>();

  sent(fault: string, commands: readonly SentCommand[]): void {
    for (const command of commands) this.#commands.set(command.id, { ...command, fault });
  }

  received(commands: readonly ReceivedCommand[]): void {
    for (const { messageId, answered } of commands) {
      const before = this.#receipts.get(messageId) ?? { times: 0, answered: false };
      this.#receipts.set(messageId, { times: before.times + 1, answered: before.answered || answered });
    }
  }

  /** Whether all commands have their final state by now. */
  async open({ sql }: Pick<FaultySystem, "sql">): Promise<number> {
    const [row] = await sql<{ n: string }>(
      `select count(*) as n from commands where id = any($1::text[]) and final_at is null`,
      [[...this.#commands.keys()]],
    );
    return Number(row?.n ?? 0);
  }

  /** What is wrong, by fault. Call it when nothing is open any more, or when that has been waited for long enough. */
  async judge({ sql }: Pick<FaultySystem, "sql">): Promise<Map<string, string[]>> {
    const rows = await sql<CommandRow>(
      `select id, state, final_at is not null as final, deadline_at < now() - $2 * interval '1 second' as overdue
       from commands where id = any($1::text[])`,
      [[...this.#commands.keys()], GRACE_SECONDS],
    );
    const stored = new Map(rows.map((row) => [row.id, row]));
    const breaches = new Map<string, string[]>();
    for (const command of this.#commands.values()) {
      const wrong = this.#wrongWith(command, stored.get(command.id));
      if (wrong !== undefined)
        breaches.set(command.fault, [
          ...(breaches.get(command.fault) ?? []),
          `${command.action} ${command.id} ${wrong}`,
        ]);
    }
    return breaches;
  }

  #wrongWith(command: SentCommand, row: CommandRow | undefined): string | undefined {
    const receipt = this.#receipts.get(command.id) ?? { times: 0, answered: false };
    if (row === undefined) return "is not on record";
    if (!row.final && row.overdue) return `has no final state long after its deadline (${row.state})`;
    if (receipt.times > 1) return `was put before its station ${receipt.times} times`;
    if (command.told !== undefined && command.told !== row.state)
      return `was told as ${command.told}, and is ${row.state}`;
    if (ANSWERED.has(row.state) && !receipt.answered) return `is ${row.state}, and its station never answered it`;
    if (row.state === "not_connected" && receipt.times > 0) return "is not_connected, and its station received it";
    return undefined;
  }
}
