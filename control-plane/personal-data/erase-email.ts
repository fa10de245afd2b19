import type { Sql } from "../database.ts";
import type { Counts } from "./erase-token.ts";
import { eventPages, inPage, pageValues } from "./event-pages.ts";

/** What stands in the place of a name and of an address. */
const NAME = "erased";
const ADDRESS = "erased@erased.invalid";

/** The organisation's handovers to that address. */
const HANDOVER = `select 1 from handovers h join projects p on p.id = h.project_id where p.org_id = $1 and lower(h.site_contact_email) = $2`;

/**
 * Forgets a site owner or site contact by the e-mail address, with the names beside it, wherever the organisation's projects
 * name them, in mails and webhook events about those projects, and where it is the organisation's own contact. The certificate of a handover stays as it was signed: it is evidence.
 * An installer's own account is not the organisation's; its owner closes it. Safe to run again.
 * @param email case-folded.
 */
export async function eraseEmail(sql: Sql, orgId: string, email: string, eventPageSize: number): Promise<Counts> {
  const counts: Counts = {};
  const run = async (table: string, statement: string, values: unknown[]) => {
    const rows = await sql.query(`${statement} returning 1`, values);
    if (rows.length > 0) counts[table] = (counts[table] ?? 0) + rows.length;
  };
  // A mail's dedupe_key ends with its address.
  await run(
    "mails",
    `update mails m set recipient = $3, dedupe_key = 'erased:' || m.id, data = '{}', sealed_data = null,
       status = case when m.status = 'pending' then 'failed' else m.status end, last_error = coalesce(m.last_error, 'erased')
     where lower(m.recipient) = $2 and (exists (select 1 from projects p where p.org_id = $1 and p.id = m.data ->> 'project_id')
       or exists (select 1 from webhook_endpoints e where e.org_id = $1 and e.id = m.data ->> 'endpoint_id'))`,
    [orgId, email, ADDRESS],
  );
  // Before the handovers, by whose address and name they are found.
  await run(
    "mails",
    `update mails m set data = jsonb_set(m.data, '{site_contact_name}', to_jsonb($3::text))
     where m.template = 'handover_completed' and exists (${HANDOVER} and h.project_id = m.data ->> 'project_id' and h.site_contact_name = m.data ->> 'site_contact_name')`,
    [orgId, email, NAME],
  );
  for await (const page of eventPages(sql, eventPageSize))
    await run(
      "events",
      `update events t set data = jsonb_set(t.data::jsonb, '{site_contact_name}', to_jsonb($3::text))::json
       where t.org_id = $1 and t.type = 'handover.completed' and ${inPage(4)}
         and exists (${HANDOVER} and h.project_id = t.data ->> 'project_id' and h.site_contact_name = t.data ->> 'site_contact_name')`,
      [orgId, email, NAME, ...pageValues(page)],
    );
  await run(
    "projects",
    `update projects set site_owner_name = $3, site_owner_email = $4 where org_id = $1 and lower(site_owner_email) = $2`,
    [orgId, email, NAME, ADDRESS],
  );
  await run(
    "handovers",
    `update handovers h set site_contact_name = $3, site_contact_email = $4
     where lower(h.site_contact_email) = $2 and exists (select 1 from projects p where p.org_id = $1 and p.id = h.project_id)`,
    [orgId, email, NAME, ADDRESS],
  );
  await run(
    "organizations",
    `update organizations set contact_email = null where id = $1 and lower(contact_email) = $2`,
    [orgId, email],
  );
  return counts;
}
