import { createHash, randomBytes } from "node:crypto";
import { seal, unseal, type SecretsKey } from "@dynamo-csms/proto/sealed-secret";
import type { Sql } from "../database.ts";

/** What of a link is stored: enough to show it again and to recognise it, and nothing to be read out of a copy of the table. */
export interface SealedLink {
  url: string;
  tokenHash: Buffer;
  tokenSealed: string;
}

const context = (projectId: string) => `certificates.link_token:${projectId}`;

/** A new link to a project's certificate: 256 random bits, good until it is replaced. */
export function newCertificateLink(secretsKey: SecretsKey, publicApiUrl: string, projectId: string): SealedLink {
  const token = randomBytes(32).toString("base64url");
  return {
    url: linkUrl(publicApiUrl, projectId, token),
    tokenHash: hashLinkToken(token),
    tokenSealed: seal(secretsKey, context(projectId), token),
  };
}

/** What a link's token is found by. */
export const hashLinkToken = (token: string) => createHash("sha256").update(token).digest();

/** The link that the handover's answer and mails carried, as it is valid now. Undefined: there is no certificate. */
export async function certificateLink(
  sql: Sql,
  secretsKey: SecretsKey,
  publicApiUrl: string,
  projectId: string,
): Promise<string | undefined> {
  const [row] = await sql.query<{ link_token_sealed: string }>(
    "select link_token_sealed from certificates where project_id = $1",
    [projectId],
  );
  return row === undefined
    ? undefined
    : linkUrl(publicApiUrl, projectId, unseal(secretsKey, context(projectId), row.link_token_sealed));
}

/** Replaces the link; the one before is worth nothing from now on. Undefined: there is no certificate. */
export async function replaceCertificateLink(
  sql: Sql,
  secretsKey: SecretsKey,
  publicApiUrl: string,
  projectId: string,
): Promise<string | undefined> {
  const link = newCertificateLink(secretsKey, publicApiUrl, projectId);
  const rows = await sql.query(
    "update certificates set link_token_hash = $2, link_token_sealed = $3 where project_id = $1 returning project_id",
    [projectId, link.tokenHash, link.tokenSealed],
  );
  return rows.length === 0 ? undefined : link.url;
}

/** The page behind the QR code. */
export const verifyUrl = (publicApiUrl: string, projectId: string) =>
  `${trimSlash(publicApiUrl)}/certificates/${projectId}/verify`;

const linkUrl = (publicApiUrl: string, projectId: string, token: string) =>
  `${trimSlash(publicApiUrl)}/certificates/${projectId}.pdf?token=${token}`;

const trimSlash = (url: string) => url.replace(/\/+$/, "");
