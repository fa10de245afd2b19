import { userInfo } from "node:os";
import { beginAudit } from "../../audit/audit-trail.ts";
import { ConfigReader } from "../../config-reader.ts";
import { openPool, sqlOn } from "../../database.ts";
import type { CommandIo } from "./cli-command.ts";
import { CliMistake } from "./cli-mistake.ts";

/**
 * Runs a command that changes something with an entry in the audit log around it, as the system account that typed it.
 * The organisation is the one named, or the only one there is.
 */
export async function auditedCommand(
  action: string,
  flags: Readonly<Record<string, string | boolean | undefined>>,
  { env, readFile }: CommandIo,
  run: () => Promise<void>,
): Promise<void> {
  const read = new ConfigReader(env, readFile);
  const { databaseUrl } = read.finish({ databaseUrl: read.databaseUrl() });
  const pool = openPool(databaseUrl, 1, "dynamo cli audit");
  const sql = sqlOn(pool);
  try {
    const organizations = await sql.query<{ id: string }>(
      `select id from organizations where $1::text is null or id = $1 order by id limit 2`,
      [flags["org"] ?? null],
    );
    const entry = await beginAudit(sql, {
      actor: { kind: "cli", id: userInfo().username },
      orgId: organizations.length === 1 ? organizations[0]?.id : undefined,
      action,
      target: undefined,
      request: flags,
    });
    try {
      await run();
    } catch (thrown) {
      await entry.finish({ outcome: thrown instanceof CliMistake ? "refused" : "failed" }).catch(() => undefined);
      throw thrown;
    }
    await entry.finish({ outcome: "done" });
  } finally {
    await pool.end();
  }
}
