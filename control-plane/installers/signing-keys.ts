import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { calculateJwkThumbprint, exportJWK, type JWK } from "jose";

/** The keys of access tokens: one signs, all of them verify, so that keys can be changed without a wrongful 401. */
export interface SigningKeys {
  current: { kid: string; privateKey: KeyObject };
  /** kid → public key. */
  verifying: ReadonlyMap<string, KeyObject>;
  /** For /.well-known/jwks.json. */
  jwks: { keys: JWK[] };
}

/**
 * @param signingPem private RSA key (PKCS#8 PEM). @param previousPems keys that tokens still in use were signed with, or
 * the coming one ahead of its use: private or public PEMs, one after the other.
 * Throws with the reason when one is not an RSA key of at least 2048 bits.
 */
export async function loadSigningKeys(signingPem: string, previousPems = ""): Promise<SigningKeys> {
  const privateKey = readPrivateKey(signingPem);
  const others = previousPems.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? [];
  const publicKeys = [createPublicKey(privateKey), ...others.map(readPublicKey)];
  const jwks = await Promise.all(
    publicKeys.map(async (key) => {
      const jwk = await exportJWK(key);
      return { ...jwk, kid: await calculateJwkThumbprint(jwk), use: "sig", alg: "RS256" };
    }),
  );
  const verifying = new Map(jwks.map((jwk, index) => [jwk.kid, publicKeys[index] as KeyObject]));
  return {
    current: { kid: (jwks[0] as { kid: string }).kid, privateKey },
    verifying,
    jwks: { keys: [...new Map(jwks.map((jwk) => [jwk.kid, jwk])).values()] },
  };
}

/** For the configuration: throws the reason, without a word of the key. */
export function readPrivateKey(pem: string): KeyObject {
  return requireRsa(readPem(() => createPrivateKey(pem), "want a private RSA key as PKCS#8 PEM"));
}

/** A public key out of a public or private PEM. */
export function readPublicKey(pem: string): KeyObject {
  return requireRsa(readPem(() => createPublicKey(pem), "want RSA keys as PEM, one after the other"));
}

function readPem(read: () => KeyObject, want: string): KeyObject {
  try {
    return read();
  } catch {
    throw new Error(want);
  }
}

function requireRsa(key: KeyObject): KeyObject {
  if (key.asymmetricKeyType !== "rsa" || (key.asymmetricKeyDetails?.modulusLength ?? 0) < 2048)
    throw new Error("want an RSA key of at least 2048 bits");
  return key;
}
