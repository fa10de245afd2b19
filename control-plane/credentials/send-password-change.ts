import type { SecretsKey } from "@dynamo-csms/proto/sealed-secret";
import type pg from "pg";
import { queueCommand } from "../commands/queue-command.ts";
import { ENDED, endedCommand, type EndedRow } from "../commands/record-outcome.ts";
import { inTransaction, type Sql, sqlOn } from "../database.ts";
import { requestRegistryWrite } from "../stations/station-registry.ts";
import { passwordCall } from "./new-password.ts";
import { closeChange, dropPending, lockOpenChange, type PasswordChange, passwordOf } from "./password-change.ts";
import { endPasswordChange } from "./password-outcome.ts";

export interface PasswordChangeDeps {
  pool: pg.Pool;
  secretsKey: SecretsKey;
}

/**
 * Hands the command that brings the password to the queue, once the gateways surely accept the new one: as long as the
 * registry's outbox holds the station, nothing is sent. Called after the change was opened, and by the sweep.
 * @returns the command's id; undefined when it is not time yet, or no more.
 */
export async function sendPasswordChange(deps: PasswordChangeDeps, changeId: string): Promise<string | undefined> {
  return inTransaction(deps.pool, async (sql) => {
    const change = await lockOpenChange(sql, { id: changeId });
    if (change === undefined || (change.state !== "preparing" && change.state !== "unconfirmed")) return undefined;
    if (await registryWriteWaits(sql, change.stationId)) {
      await sql.query("update password_changes set next_step_at = now() + interval '1 second' where id = $1", [
        changeId,
      ]);
      return undefined;
    }
    return queue(sql, change, deps.secretsKey);
  });
}

async function queue(sql: Sql, change: PasswordChange, secretsKey: SecretsKey): Promise<string | undefined> {
  const password = passwordOf(change, secretsKey);
  if (password === undefined) throw new Error(`the password of change ${change.id} is gone`);
  const { stationId, orgId, version, requestedBy } = change;
  const call = passwordCall(version, password);
  const commandId = await queueCommand(
    sql,
    { stationId, orgId, version, ...call, requestedBy, dedupeKey: "password-change" },
    secretsKey,
  );
  // Another one of that key waits: the end of a change that was replaced.
  await sql.query(
    commandId === undefined
      ? "update password_changes set next_step_at = now() + interval '10 seconds' where id = $1"
      : "update password_changes set state = 'queued', command_id = $2, attempts = attempts + 1, next_step_at = null where id = $1",
    commandId === undefined ? [change.id] : [change.id, commandId],
  );
  return commandId;
}

async function registryWriteWaits(sql: Sql, stationId: string): Promise<boolean> {
  return (await sql.query("select 1 from registry_outbox where station_id = $1", [stationId])).length > 0;
}

/** A command that was to be written by the process that opened the change, and never was: it died in between. */
const LOST_AFTER = "5 minutes";
/** A command's end is told to its change in the same transaction, unless a process of an older release wrote it, or that failed. */
const UNTOLD_AFTER = "1 minute";

/**
 * Takes the changes that are due a step further: those whose registry write was not confirmed at once, and those to be sent
 * again. Ends those whose command was never written, or ended without a word to its change. A sweep of the jobs process.
 * @returns how many it looked at. Rejects when Postgres is away, or one could not be taken further.
 */
export async function advancePasswordChanges(deps: PasswordChangeDeps & { limit: number }): Promise<number> {
  const sql = sqlOn(deps.pool);
  const due = await sql.query<{ id: string }>(
    `select id from password_changes where next_step_at <= now() order by next_step_at limit $1`,
    [deps.limit],
  );
  let fault: unknown;
  // One that cannot be sent (a sealed password of another key) must not hold up the others.
  for (const { id } of due) await sendPasswordChange(deps, id).catch((cause: unknown) => (fault = cause));
  const unsent = await sql.query<{ id: string }>(
    `select c.id from password_changes c left join commands k on k.id = c.command_id
     where c.closed_at is null and c.state = 'queued' and not c.perhaps_set and k.id is null and c.created_at < now() - interval '${LOST_AFTER}' limit $1`,
    [deps.limit],
  );
  for (const { id } of unsent) await abandonPasswordChange(deps.pool, id);
  const untold = await sql.query<EndedRow>(
    `select ${ENDED} from commands where final_at < now() - interval '${UNTOLD_AFTER}'
       and id in (select command_id from password_changes where closed_at is null and state = 'queued') limit $1`,
    [deps.limit],
  );
  for (const row of untold)
    await inTransaction(deps.pool, (tx) => endPasswordChange(tx, endedCommand(row))).catch(
      (cause: unknown) => (fault = cause),
    );
  if (fault !== undefined) throw fault;
  return due.length + unsent.length + untold.length;
}

/** Takes a change back whose command goes to nobody. One whose row is there all the same, by a commit whose answer was lost, ends as the command does. */
export async function abandonPasswordChange(pool: pg.Pool, changeId: string): Promise<void> {
  await inTransaction(pool, async (sql) => {
    const change = await lockOpenChange(sql, { id: changeId });
    if (change?.state !== "queued" || (await isUnderWay(sql, change.commandId))) return;
    await dropPending(sql, change.stationId);
    await closeChange(sql, change, "not_sent");
    await requestRegistryWrite(sql, change.stationId);
  });
}

async function isUnderWay(sql: Sql, commandId: string | null): Promise<boolean> {
  return (await sql.query("select 1 from commands where id = $1 and final_at is null", [commandId])).length > 0;
}
