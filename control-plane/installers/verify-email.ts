import { err, ok, type Result } from "@dynamo-csms/proto/result";
import { LockMode, type MikroORM } from "@mikro-orm/postgresql";
import { emailKey } from "./email-key.ts";
import { type Installer, InstallerEntity, InstallerTokenEntity } from "./installer.entity.ts";
import { mailLink } from "./link-tokens.ts";
import { hashLinkToken } from "./one-time-token.ts";
import type { SignUpDeps } from "./sign-up.ts";

/**
 * Activates the account that the link was mailed to. Opening the link again says the same as the first time: mail
 * scanners open links before people do, and that must not spoil them.
 */
export async function verifyEmail(
  { orm }: { orm: MikroORM },
  token: string,
): Promise<Result<Installer, "no-such-link" | "expired">> {
  return orm.em.fork().transactional(async (em) => {
    const link = await em.findOne(
      InstallerTokenEntity,
      { tokenHash: hashLinkToken(token), purpose: "verify_email" },
      { populate: ["installer"], lockMode: LockMode.PESSIMISTIC_WRITE, lockTableAliases: [] },
    );
    if (link === null) return err("no-such-link");
    const installer = link.installer;
    if (link.usedAt === null || link.usedAt === undefined) {
      if (link.expiresAt < new Date()) return err("expired");
      link.usedAt = new Date();
      if (installer.status === "pending_verification") {
        installer.status = "active";
        installer.verifiedAt = new Date();
      }
    }
    return ok(installer as Installer);
  });
}

/** Mails a new link when there is an account that waits for one, and says nothing of whether there is. */
export async function resendVerification(deps: Omit<SignUpDeps, "passwords">, email: string): Promise<void> {
  const em = deps.orm.em.fork();
  const installer = await em.findOne(InstallerEntity, { emailKey: emailKey(email), status: "pending_verification" });
  if (installer === null) return;
  const { allowed } = await deps.rateLimits.attempt("mailAccount", installer.id);
  if (!allowed) return;
  const mailId = await em.transactional((inner) => mailLink(inner, installer, "verify_email", deps));
  if (mailId !== undefined) deps.wakeUps.wake("mail", mailId);
}
