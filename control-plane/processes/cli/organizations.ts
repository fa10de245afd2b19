import type { SqlEntityManager } from "@mikro-orm/postgresql";
import { z } from "zod";
import { openOrm, type Sql, sqlOn } from "../../database.ts";
import { emailAddress, oneLine } from "../../http/fields.ts";
import { isoSeconds } from "../../http/iso-time.ts";
import { newId } from "../../ids.ts";
import { OrganizationEntity } from "../../organizations/organization.entity.ts";
import { defineCommand } from "./cli-command.ts";
import { CliMistake } from "./cli-mistake.ts";
import { onPostgres, readDatabaseUrl } from "./with-servers.ts";

interface NewOrganization {
  name: string;
  email: string;
}

const FIELDS = { name: oneLine(200), email: emailAddress() };

/** The flags of a new organisation. Throws CliMistake. */
export function readOrganization(flags: { name: string; "contact-email": string }): NewOrganization {
  const wanted = z.object(FIELDS).safeParse({ name: flags.name, email: flags["contact-email"] });
  if (wanted.success) return wanted.data;
  throw new CliMistake(
    wanted.error.issues
      .map(({ path, message }) => `--${path.join() === "email" ? "contact-email" : path.join()}: ${message}`)
      .join("; "),
  );
}

/** @returns the id of the organisation that is made, in the caller's transaction. */
export async function insertOrganization(em: SqlEntityManager, { name, email }: NewOrganization): Promise<string> {
  const id = newId("org");
  await em.insert(OrganizationEntity, { id, name, contactEmail: email, createdAt: new Date() });
  return id;
}

/** The organisation that is meant: the named one, or the only one there is. Throws CliMistake. */
export async function findOrganization(sql: Sql, orgId: string | undefined): Promise<string> {
  const found = await sql.query<{ id: string }>(
    `select id from organizations where $1::text is null or id = $1::text order by created_at limit 2`,
    [orgId ?? null],
  );
  const [first, second] = found;
  if (first === undefined)
    throw new CliMistake(
      orgId === undefined
        ? "there is no organisation yet: run `bootstrap` first"
        : `there is no organisation ${orgId}: \`organizations list\` shows all of them`,
    );
  if (second !== undefined)
    throw new CliMistake("there are several organisations: say which with --org; `organizations list` shows them");
  return first.id;
}

/** Organisations: the tenants of a deployment. */
export const organizationCommands = [
  defineCommand({
    name: "organizations create",
    summary: "Makes a further organisation.",
    more: "It has no API key yet: `api-keys create --org ORG_ID` makes one.",
    flags: {
      name: { value: "NAME", required: true, help: "what it is called" },
      "contact-email": { value: "ADDRESS", required: true, help: "whom installers can turn to" },
    },
    examples: [`organizations create --name "Depot Partners" --contact-email ops@partners.example`],
    async run(flags, io) {
      const wanted = readOrganization(flags);
      const orm = await openOrm(readDatabaseUrl(io), [OrganizationEntity], 1);
      try {
        io.print({ org_id: await insertOrganization(orm.em.fork(), wanted), name: wanted.name });
      } finally {
        await orm.close();
      }
    },
  }),
  defineCommand({
    name: "organizations list",
    summary: "Prints the organisations, oldest first, and what each has.",
    flags: {},
    examples: ["organizations list"],
    columns: ["org_id", "name", "charge_points", "api_keys", "created_at"],
    reads: true,
    run: (_, io) =>
      onPostgres(io, async (pool) => {
        const rows = await sqlOn(pool).query<{ created_at: Date }>(
          `select o.id as org_id, o.name, o.contact_email,
                  (select count(*)::int from stations s where s.org_id = o.id and s.retired_at is null) as charge_points,
                  (select count(*)::int from api_keys k where k.org_id = o.id and k.revoked_at is null) as api_keys, o.created_at
           from organizations o order by o.created_at, o.id`,
        );
        for (const row of rows) io.print({ ...row, created_at: isoSeconds(row.created_at) });
      }),
  }),
];
