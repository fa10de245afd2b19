import type { SecretsKey } from "@dynamo-csms/proto/sealed-secret";
import type { MikroORM, SqlEntityManager } from "@mikro-orm/postgresql";
import { sqlOf } from "../database.ts";
import type { RateLimits } from "../http/rate-limits.ts";
import { newId } from "../ids.ts";
import type { WakeUps } from "../jobs/durable-work.ts";
import { queueMail } from "../mail/queue-mail.ts";
import { emailKey } from "../http/email-address.ts";
import { type Installer, InstallerEntity } from "./installer.entity.ts";
import { mailLink } from "./link-tokens.ts";
import type { Passwords } from "./password.ts";
import { findByAddress, lockAddress } from "./sign-ups-of-address.ts";

export interface SignUpDeps {
  orm: MikroORM;
  passwords: Passwords;
  rateLimits: RateLimits;
  wakeUps: WakeUps;
  secretsKey: SecretsKey;
  publicApiUrl: string;
}

export interface SignUp {
  email: string;
  password: string;
  full_name: string;
  phone: string;
  company: string;
}

/**
 * Takes a sign-up down and mails the link that makes it an account. Each sign-up with an address stands for itself, with its
 * own id, password and profile: opening a link makes the account that its mail speaks of, and voids the others. Whoever
 * signs up with somebody else's address therefore gains nothing.
 *
 * Whether the address has an account already is told to nobody but its owner, by mail: the answer then carries an id that
 * belongs to no one, and takes as long. The account stays as it is, password included.
 */
export async function signUp(deps: SignUpDeps, wanted: SignUp): Promise<{ installerId: string }> {
  const passwordHash = await deps.passwords.hash(wanted.password);
  const installerId = newId("ins");
  const key = emailKey(wanted.email);
  // Sign-up must not become a way to flood somebody's mailbox. A link that was not mailed can be asked for later.
  const { allowed: mayMail } = await deps.rateLimits.attempt("mailAccount", key);
  const mailId = await deps.orm.em.fork().transactional(async (em) => {
    await lockAddress(sqlOf(em), key);
    const known = await findByAddress(em, key);
    if (known !== null && known.status !== "pending_verification")
      return mayMail ? tellOwner(em, known, deps) : undefined;
    const now = new Date();
    const installer = em.create(InstallerEntity, {
      id: installerId,
      email: wanted.email,
      emailKey: key,
      passwordHash,
      passwordChangedAt: now,
      fullName: wanted.full_name,
      phone: wanted.phone,
      company: wanted.company,
      status: "pending_verification",
      createdAt: now,
    });
    await em.flush();
    return mayMail ? mailLink(em, installer, "verify_email", deps) : undefined;
  });
  if (mailId !== undefined) deps.wakeUps.wake("mail", mailId);
  return { installerId };
}

function tellOwner(em: SqlEntityManager, account: Installer, deps: SignUpDeps): Promise<string | undefined> {
  return queueMail(sqlOf(em), deps.secretsKey, {
    // At most one a day.
    dedupeKey: `account_exists:${account.id}:${new Date().toISOString().slice(0, 10)}`,
    recipient: account.email,
    template: "account_exists",
    data: { full_name: account.fullName, installer_id: account.id },
  });
}
