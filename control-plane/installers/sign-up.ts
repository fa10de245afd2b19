import type { SecretsKey } from "@dynamo-csms/proto/sealed-secret";
import { type MikroORM, type SqlEntityManager, UniqueConstraintViolationException } from "@mikro-orm/postgresql";
import { sqlOf } from "../database.ts";
import type { RateLimits } from "../http/rate-limits.ts";
import { newId } from "../ids.ts";
import type { WakeUps } from "../jobs/durable-work.ts";
import { queueMail } from "../mail/queue-mail.ts";
import { emailKey } from "./email-key.ts";
import { type Installer, InstallerEntity } from "./installer.entity.ts";
import { mailLink } from "./link-tokens.ts";
import type { Passwords } from "./password.ts";

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
 * Makes an account that waits for its e-mail address to be verified, and mails the link.
 *
 * Whether the address has an account already is told to nobody but its owner, by mail: the answer then carries an id that
 * belongs to no one, and takes as long. The first account stays as it is, password included.
 */
export async function signUp(deps: SignUpDeps, wanted: SignUp): Promise<{ installerId: string }> {
  const passwordHash = await deps.passwords.hash(wanted.password);
  const installerId = newId("ins");
  const key = emailKey(wanted.email);
  const mailId = await deps.orm.em
    .fork()
    .transactional(async (em) => {
      const existing = await em.findOne(InstallerEntity, { emailKey: key });
      if (existing !== null) return tellOwner(em, existing, deps);
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
      return mailLink(em, installer, "verify_email", deps);
    })
    .catch((fault: unknown) => {
      // Two sign-ups with the same address at the same moment: the other one was first, and sent the mail.
      if (fault instanceof UniqueConstraintViolationException) return undefined;
      throw fault;
    });
  if (mailId !== undefined) deps.wakeUps.wake("mail", mailId);
  return { installerId };
}

async function tellOwner(em: SqlEntityManager, existing: Installer, deps: SignUpDeps): Promise<string | undefined> {
  const { allowed } = await deps.rateLimits.attempt("mailAccount", existing.id);
  if (!allowed) return undefined;
  if (existing.status === "pending_verification") return mailLink(em, existing, "verify_email", deps);
  return queueMail(sqlOf(em), deps.secretsKey, {
    // At most one a day: sign-up must not become a way to flood somebody's mailbox.
    dedupeKey: `account_exists:${existing.id}:${new Date().toISOString().slice(0, 10)}`,
    recipient: existing.email,
    template: "account_exists",
    data: { full_name: existing.fullName, installer_id: existing.id },
  });
}
