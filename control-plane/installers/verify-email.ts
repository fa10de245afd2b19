import { err, ok, type Result } from "@dynamo-csms/proto/result";
import type { MikroORM } from "@mikro-orm/postgresql";
import { sqlOf } from "../database.ts";
import { emailKey } from "../http/email-address.ts";
import { type Installer, InstallerTokenEntity } from "./installer.entity.ts";
import { mailLink } from "./link-tokens.ts";
import { hashLinkToken } from "./one-time-token.ts";
import type { SignUpDeps } from "./sign-up.ts";
import { dropOtherSignUps, findByAddress, lockAddress } from "./sign-ups-of-address.ts";

/**
 * Makes the account of the sign-up that the link was mailed for, with the password and profile of that sign-up; the links
 * of other sign-ups with the address end. Opening the link again says the same as the first time: mail scanners open
 * links before people do, and that must not spoil them.
 */
export async function verifyEmail(
  { orm }: { orm: MikroORM },
  token: string,
): Promise<Result<Installer, "no-such-link" | "expired">> {
  const tokenHash = hashLinkToken(token);
  return orm.em.fork().transactional(async (em) => {
    const sql = sqlOf(em);
    const [sent] = await sql.query<{ email_key: string }>(
      `select i.email_key from installer_tokens t join installers i on i.id = t.installer_id where t.token_hash = $1`,
      [tokenHash],
    );
    if (sent === undefined) return err("no-such-link");
    await lockAddress(sql, sent.email_key);
    // Read under the lock: the link of another sign-up may just have ended this one.
    const link = await em.findOne(
      InstallerTokenEntity,
      { tokenHash, purpose: "verify_email" },
      { populate: ["installer"] },
    );
    if (link === null) return err("no-such-link");
    const installer = link.installer;
    if (link.usedAt === null || link.usedAt === undefined) {
      if (link.expiresAt < new Date()) return err("expired");
      link.usedAt = new Date();
      if (installer.status === "pending_verification") {
        await dropOtherSignUps(sql, installer);
        installer.status = "active";
        installer.verifiedAt = new Date();
      }
    }
    return ok(installer as Installer);
  });
}

/** Mails a new link for the newest sign-up that waits for one, and says nothing of whether there is one. */
export async function resendVerification(deps: Omit<SignUpDeps, "passwords">, email: string): Promise<void> {
  const em = deps.orm.em.fork();
  const key = emailKey(email);
  const installer = await findByAddress(em, key);
  if (installer?.status !== "pending_verification") return;
  const { allowed } = await deps.rateLimits.attempt("mailAccount", key);
  if (!allowed) return;
  const mailId = await em.transactional((inner) => mailLink(inner, installer, "verify_email", deps));
  if (mailId !== undefined) deps.wakeUps.wake("mail", mailId);
}
