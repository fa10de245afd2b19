import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSign,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";

const encoded = (value: object | string) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

function signed(header: object, claims: object, key: KeyObject): string {
  const head = `${encoded(header)}.${encoded(claims)}`;
  return `${head}.${createSign("RSA-SHA256").update(head).sign(key, "base64url")}`;
}

export interface BadToken {
  what: string;
  /** The whole Authorization header; undefined: none. */
  authorization: string | undefined;
  code: string;
}

/**
 * Everything that is not a good credential, made from one that is.
 * @param token a good access token. @param signingKey the key that it was signed with, as PEM.
 */
export function badTokens(token: string, signingKey: string): { good: string; bad: BadToken[] } {
  const [header = {}, claims = {}] = token
    .split(".")
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, "base64url").toString()) as Record<string, unknown>);
  const key = createPrivateKey(signingKey);
  const stranger = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const publicPem = createPublicKey(signingKey).export({ type: "spki", format: "pem" });
  const hsHead = `${encoded({ ...header, alg: "HS256" })}.${encoded(claims)}`;
  const past = Math.floor(Date.now() / 1_000) - 120;
  const token401 = (what: string, value: string, code = "invalid_token"): BadToken => ({
    what,
    authorization: `Bearer ${value}`,
    code,
  });
  const { exp: _, ...eternal } = claims;
  return {
    good: signed(header, claims, key),
    bad: [
      { what: "none", authorization: undefined, code: "unauthenticated" },
      { what: "Basic", authorization: `Basic ${Buffer.from("a:b").toString("base64")}`, code: "invalid_token" },
      { what: "Bearer alone", authorization: "Bearer", code: "invalid_token" },
      token401("nonsense", "nonsense"),
      token401("expired", signed(header, { ...claims, iat: past - 3_600, exp: past }, key), "expired_token"),
      token401("without an end", signed(header, eternal, key)),
      token401("for another service", signed(header, { ...claims, aud: "other" }, key)),
      token401("of somebody else's key", signed(header, claims, stranger)),
      token401(
        "of somebody else's key, shown along",
        signed(
          { ...header, jku: "http://127.0.0.1/jwks.json", jwk: stranger.export({ format: "jwk" }) },
          claims,
          stranger,
        ),
      ),
      token401("with a path for a key id", signed({ ...header, kid: "../../../dev/null" }, claims, key)),
      token401("alg none", `${encoded({ ...header, alg: "none" })}.${encoded(claims)}.`),
      token401(
        "HS256 with the public key",
        `${hsHead}.${createHmac("sha256", publicPem).update(hsHead).digest("base64url")}`,
      ),
      token401("an unknown API key", `dyn_live_${"A".repeat(48)}`, "invalid_api_key"),
    ],
  };
}
