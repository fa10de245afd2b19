import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

/** 32 bytes, shared by the halves (SECRETS_KEY). */
export type SecretsKey = Buffer & { readonly __brand: "SecretsKey" };

/** Reads base64 of exactly 32 bytes. Throws with the reason when it is none. */
export function parseSecretsKey(text: string): SecretsKey {
  const key = Buffer.from(text, "base64");
  if (key.length !== 32) throw new Error("want base64 of 32 bytes");
  return key as SecretsKey;
}

/**
 * Encrypts a secret for a row or a channel (AES-256-GCM): `s1.` + base64url of nonce, tag and ciphertext.
 * @param context what it belongs to (a table and id): bound in, so that a sealed value cannot be moved to another row.
 */
export function seal(key: SecretsKey, context: string, plain: string): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(context, "utf8"));
  const body = Buffer.concat([cipher.update(plain, "utf8"), cipher.final()]);
  return `s1.${Buffer.concat([nonce, cipher.getAuthTag(), body]).toString("base64url")}`;
}

/** Decrypts what `seal` made. Throws when key, context or text are not the ones it was made with. */
export function unseal(key: SecretsKey, context: string, sealed: string): string {
  if (!sealed.startsWith("s1.")) throw new Error("not a sealed secret of format s1");
  const bytes = Buffer.from(sealed.slice(3), "base64url");
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, 12), { authTagLength: 16 });
  decipher.setAAD(Buffer.from(context, "utf8")).setAuthTag(bytes.subarray(12, 28));
  return decipher.update(bytes.subarray(28), undefined, "utf8") + decipher.final("utf8");
}
