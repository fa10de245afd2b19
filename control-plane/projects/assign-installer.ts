import { err, ok, type Result } from "@dynamo-csms/proto/result";
import type { SecretsKey } from "@dynamo-csms/proto/sealed-secret";
import type { MikroORM } from "@mikro-orm/postgresql";
import { sqlOf } from "../database.ts";
import type { WakeUps } from "../jobs/durable-work.ts";
import { queueMail } from "../mail/queue-mail.ts";

export interface AssignDeps {
  orm: MikroORM;
  secretsKey: SecretsKey;
  wakeUps: WakeUps;
}

/**
 * Lets an installer work on the organisation's project, and tells them by mail. Assigning twice is assigning once: the
 * first time stands, and there is no second mail.
 */
export async function assignInstaller(
  { orm, secretsKey, wakeUps }: AssignDeps,
  orgId: string,
  projectId: string,
  installerId: string,
): Promise<Result<{ assignedAt: Date }, "no-such-project" | "no-such-installer">> {
  const assigned = await orm.em.fork().transactional(async (em) => {
    const sql = sqlOf(em);
    const [project] = await sql.query<{ name: string; site_address: string; organization_name: string }>(
      `select p.name, p.site_address, o.name as organization_name from projects p join organizations o on o.id = p.org_id
       where p.id = $1 and p.org_id = $2`,
      [projectId, orgId],
    );
    if (project === undefined) return err("no-such-project" as const);
    const [installer] = await sql.query<{ email: string; full_name: string }>(
      `select email, full_name from installers where id = $1 and status <> 'disabled'`,
      [installerId],
    );
    if (installer === undefined) return err("no-such-installer" as const);
    const [made] = await sql.query<{ assigned_at: Date }>(
      `insert into project_installers (project_id, installer_id, assigned_at) values ($1, $2, date_trunc('milliseconds', clock_timestamp()))
       on conflict do nothing returning assigned_at`,
      [projectId, installerId],
    );
    if (made === undefined) {
      const [former] = await sql.query<{ assigned_at: Date }>(
        `select assigned_at from project_installers where project_id = $1 and installer_id = $2`,
        [projectId, installerId],
      );
      // Removed between the two statements: as if it had been assigned and removed again.
      return ok({ assignedAt: former?.assigned_at ?? new Date(), mailId: undefined });
    }
    const mailId = await queueMail(sql, secretsKey, {
      dedupeKey: `installer_assigned:${projectId}:${installerId}:${made.assigned_at.toISOString()}`,
      recipient: installer.email,
      template: "installer_assigned",
      data: { full_name: installer.full_name, project_id: projectId, project_name: project.name, ...project },
    });
    return ok({ assignedAt: made.assigned_at, mailId });
  });
  if (!assigned.ok) return assigned;
  if (assigned.value.mailId !== undefined) wakeUps.wake("mail", assigned.value.mailId);
  return ok({ assignedAt: assigned.value.assignedAt });
}
