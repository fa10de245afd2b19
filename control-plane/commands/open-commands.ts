import type { Sql } from "../database.ts";

/** How long questions are gathered: short beside the second in which each command asks once. */
const GATHER_MS = 50;

interface Asked {
  commandId: string;
  /** The connection that the command was published for. */
  epoch: number;
  answer: PromiseWithResolvers<boolean>;
}

/**
 * Tells whether a command is still open on its connection: neither final nor waiting again. Thousands of commands that are
 * followed ask in one statement together.
 */
export function createOpenCommands(sql: Sql): { isOpen(commandId: string, epoch: number): Promise<boolean> } {
  let gathered: Asked[] = [];

  async function ask(): Promise<void> {
    const asked = gathered;
    gathered = [];
    try {
      const rows = await sql.query<{ place: number }>(
        `select a.place from unnest($1::int[], $2::text[], $3::bigint[]) as a (place, id, epoch)
         join commands c on c.id = a.id and c.epoch = a.epoch where c.final_at is null and c.state <> 'queued'`,
        [asked.map((_, place) => place), asked.map(({ commandId }) => commandId), asked.map(({ epoch }) => epoch)],
      );
      const open = new Set(rows.map(({ place }) => place));
      asked.forEach(({ answer }, place) => answer.resolve(open.has(place)));
    } catch (cause) {
      for (const { answer } of asked) answer.reject(cause);
    }
  }

  return {
    isOpen(commandId, epoch) {
      const answer = Promise.withResolvers<boolean>();
      if (gathered.push({ commandId, epoch, answer }) === 1) setTimeout(() => void ask(), GATHER_MS);
      return answer.promise;
    },
  };
}
