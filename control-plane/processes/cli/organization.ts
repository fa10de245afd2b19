import type { Sql } from "../../database.ts";
import { CliMistake } from "./cli-mistake.ts";

/** The organisation that is meant: the named one, or the only one there is. */
export async function findOrganization(sql: Sql, orgId: string | undefined): Promise<string> {
  const found = await sql.query<{ id: string }>(
    `select id from organizations where $1::text is null or id = $1::text order by created_at limit 2`,
    [orgId ?? null],
  );
  const [first, second] = found;
  if (first === undefined)
    throw new CliMistake(
      orgId === undefined ? "there is no organisation yet: run `bootstrap` first" : `there is no organisation ${orgId}`,
    );
  if (second !== undefined) throw new CliMistake("there are several organisations: say which with --org");
  return first.id;
}
