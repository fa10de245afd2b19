import type { SecretsKey } from "@dynamo-csms/proto/sealed-secret";
import type { SqlEntityManager } from "@mikro-orm/postgresql";
import { sqlOf } from "../database.ts";
import { queueMail } from "../mail/queue-mail.ts";
import { type Installer, InstallerTokenEntity } from "./installer.entity.ts";
import { hashLinkToken, newLinkToken } from "./one-time-token.ts";

export type LinkPurpose = "verify_email" | "reset_password";

/** A fitter may read mail the next evening; a reset is asked for by somebody who waits for it. */
const LIFETIME_MS: Record<LinkPurpose, number> = { verify_email: 48 * 3_600_000, reset_password: 3_600_000 };

const PATH: Record<LinkPurpose, string> = {
  verify_email: "/api/v1/installer/verify-email",
  reset_password: "/api/v1/installer/reset-password",
};

/**
 * Makes a link and queues the mail with it, in the caller's transaction. Earlier links stay good until they expire.
 * @returns the mail's id, to wake the mailer after the commit.
 */
export async function mailLink(
  em: SqlEntityManager,
  installer: Installer,
  purpose: LinkPurpose,
  deps: { secretsKey: SecretsKey; publicApiUrl: string },
): Promise<string | undefined> {
  const token = newLinkToken();
  const tokenHash = hashLinkToken(token);
  const expiresAt = new Date(Date.now() + LIFETIME_MS[purpose]);
  await em.insert(InstallerTokenEntity, {
    tokenHash,
    installer: installer.id,
    purpose,
    expiresAt,
    createdAt: new Date(),
  });
  return queueMail(sqlOf(em), deps.secretsKey, {
    dedupeKey: `${purpose}:${tokenHash.toString("hex")}`,
    recipient: installer.email,
    template: purpose,
    data: { full_name: installer.fullName, company: installer.company, expires_at: expiresAt.toISOString() },
    secretData: { url: `${deps.publicApiUrl}${PATH[purpose]}?token=${token}` },
  });
}
