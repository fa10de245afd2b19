import { err, ok, type Result } from "@dynamo-csms/proto/result";
import { LockMode, type MikroORM } from "@mikro-orm/postgresql";
import { sqlOf } from "../database.ts";
import { emailKey } from "../http/email-address.ts";
import { type Installer, InstallerEntity, InstallerTokenEntity } from "./installer.entity.ts";
import { mailLink } from "./link-tokens.ts";
import { hashLinkToken } from "./one-time-token.ts";
import { passwordWeakness, type Passwords } from "./password.ts";
import type { SignUpDeps } from "./sign-up.ts";
import { dropOtherSignUps, findByAddress, lockAddress } from "./sign-ups-of-address.ts";

/** Mails a link to set a new password when the account exists, and says nothing of whether it does. */
export async function forgotPassword(deps: Omit<SignUpDeps, "passwords">, email: string): Promise<void> {
  const em = deps.orm.em.fork();
  const key = emailKey(email);
  const installer = await findByAddress(em, key);
  if (installer === null || installer.status === "disabled") return;
  const { allowed } = await deps.rateLimits.attempt("mailAccount", key);
  if (!allowed) return;
  const mailId = await em.transactional((inner) => mailLink(inner, installer, "reset_password", deps));
  if (mailId !== undefined) deps.wakeUps.wake("mail", mailId);
}

/**
 * Sets a new password, once per link. Every access token and every other reset link of the account ends with it.
 * The link came by mail, so it verifies the address too.
 */
export async function resetPassword(
  { orm, passwords }: { orm: MikroORM; passwords: Passwords },
  token: string,
  password: string,
): Promise<Result<Installer, { kind: "no-such-link" } | { kind: "weak"; why: string }>> {
  const em = orm.em.fork();
  const usable = () => ({
    tokenHash: hashLinkToken(token),
    purpose: "reset_password" as const,
    usedAt: null,
    expiresAt: { $gt: new Date() },
  });
  const seen = await em.findOne(InstallerTokenEntity, usable(), { populate: ["installer"] });
  if (seen === null) return err({ kind: "no-such-link" });
  const why = passwordWeakness(password, seen.installer.email);
  if (why !== undefined) return err({ kind: "weak", why });
  // Hashed before the transaction: it takes long, and may have to wait.
  const passwordHash = await passwords.hash(password);
  return orm.em.fork().transactional(async (inner) => {
    await lockAddress(sqlOf(inner), seen.installer.emailKey);
    const link = await inner.findOne(InstallerTokenEntity, usable(), { lockMode: LockMode.PESSIMISTIC_WRITE });
    if (link === null) return err({ kind: "no-such-link" });
    const installer = await inner.findOneOrFail(
      InstallerEntity,
      { id: link.installer.id },
      { lockMode: LockMode.PESSIMISTIC_WRITE },
    );
    const now = new Date();
    await inner.nativeUpdate(
      InstallerTokenEntity,
      { installer: installer.id, purpose: "reset_password", usedAt: null },
      { usedAt: now },
    );
    inner.assign(installer, { passwordHash, passwordChangedAt: now });
    if (installer.status === "pending_verification") {
      await dropOtherSignUps(sqlOf(inner), installer);
      inner.assign(installer, { status: "active", verifiedAt: now });
    }
    return ok(installer as Installer);
  });
}
