import type { SqlEntityManager } from "@mikro-orm/postgresql";
import type { Sql } from "../database.ts";
import { type Installer, InstallerEntity } from "./installer.entity.ts";

/**
 * The account of an address, or else its newest sign-up that waits for verification.
 * @param key of `emailKey`.
 */
export async function findByAddress(em: SqlEntityManager, key: string): Promise<Installer | null> {
  // By the alphabet: active, disabled (there is at most one of the two), pending_verification.
  const orderBy = [{ status: "asc" }, { createdAt: "desc" }, { id: "desc" }] as const;
  return em.findOne(InstallerEntity, { emailKey: key }, { orderBy: [...orderBy] });
}

/** Until the transaction ends nobody else signs up with this address or turns one of its sign-ups into the account. */
export async function lockAddress(sql: Sql, key: string): Promise<void> {
  await sql.query(`select pg_advisory_xact_lock(hashtextextended($1, 0))`, [`installer:${key}`]);
}

/**
 * Forgets every other sign-up with the address of the one that becomes its account, with its links, its password and what
 * it was assigned to: whoever opened the link vouches for that one alone. Call it under `lockAddress`.
 */
export async function dropOtherSignUps(sql: Sql, chosen: { id: string; emailKey: string }): Promise<void> {
  const others = await sql.query<{ id: string }>(
    `select id from installers where email_key = $1 and id <> $2 and status = 'pending_verification' for update`,
    [chosen.emailKey, chosen.id],
  );
  if (others.length === 0) return;
  const ids = others.map(({ id }) => id);
  await sql.query(`delete from project_installers where installer_id = any($1::text[])`, [ids]);
  await sql.query(`delete from installers where id = any($1::text[])`, [ids]);
}
