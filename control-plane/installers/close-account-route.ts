import type { MikroORM } from "@mikro-orm/postgresql";
import { z } from "zod";
import { sqlOf } from "../database.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { InstallerEntity } from "./installer.entity.ts";
import { MAX_PASSWORD_LENGTH, type Passwords } from "./password.ts";

/**
 * Closes an installer's account and forgets who it was: name, address, phone, company, password and mails to it. What was
 * signed (handovers and their certificates) stays as it was signed; the rows point to an id without a person.
 */
async function closeAccount(orm: MikroORM, installerId: string): Promise<void> {
  await orm.em.fork().transactional(async (em) => {
    const sql = sqlOf(em);
    const [account] = await sql.query<{ email_key: string }>(
      `select email_key from installers where id = $1 and status <> 'disabled' for update`,
      [installerId],
    );
    if (account === undefined) return;
    await sql.query(
      `update mails set recipient = 'erased@erased.invalid', data = '{}', sealed_data = null, dedupe_key = 'erased:' || id,
              status = case when status = 'pending' then 'failed' else status end
       where lower(recipient) = $1`,
      [account.email_key],
    );
    await sql.query(`delete from installer_tokens where installer_id = $1`, [installerId]);
    await sql.query(`delete from project_installers where installer_id = $1`, [installerId]);
    // Other sign-ups of the address wait for its owner, who has just left.
    await sql.query(`delete from installers where email_key = $1 and status = 'pending_verification'`, [
      account.email_key,
    ]);
    await sql.query(
      `update installers set email = 'erased-' || id || '@erased.invalid', email_key = 'erased-' || id || '@erased.invalid', password_hash = '',
              password_changed_at = now(), full_name = 'erased', phone = 'erased', company = 'erased', status = 'disabled' where id = $1`,
      [installerId],
    );
  });
}

/** The end of an installer's account, by its owner. */
export function closeAccountRoute({ orm, passwords }: { orm: MikroORM; passwords: Passwords }): Route {
  return defineRoute({
    method: "post",
    path: "/api/v1/installer/me/close",
    operationId: "closeInstallerAccount",
    summary: "Close the account and erase who it was",
    description:
      "Ends every access token, leaves all projects and erases name, address, phone and company. Handovers that were signed stay signed. It cannot be undone; the address can sign up again.",
    tag: "Installer account",
    access: { kind: "installer" },
    rateLimit: "login",
    body: z.strictObject({ password: z.string().min(1).max(MAX_PASSWORD_LENGTH) }),
    bodyExample: { password: "your-secure-password" },
    responses: { 204: { description: "Closed" } },
    problems: ["invalid_credentials"],
    async handle({ caller, body }) {
      const me = await orm.em.fork().findOneOrFail(InstallerEntity, { id: caller.installerId });
      if (!(await passwords.matches(me.passwordHash, body.password)))
        throw new ProblemError("invalid_credentials", "The password is wrong.");
      await closeAccount(orm, caller.installerId);
      return { status: 204 };
    },
  });
}
