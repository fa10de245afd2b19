import { err, ok, type Result } from "@dynamo-csms/proto/result";
import { errors, jwtVerify, SignJWT } from "jose";
import { newTokenId } from "./one-time-token.ts";
import type { SigningKeys } from "./signing-keys.ts";

/** The contract's hour; there is no refresh token, one logs in again. */
export const ACCESS_TOKEN_SECONDS = 3_600;

/** Tokens are for this service alone: another one that trusts the same keys has another audience. */
const AUDIENCE = "dynamo-csms:api";

/** Small differences between the clocks of two machines. */
const CLOCK_TOLERANCE_SECONDS = 5;

export interface AccessTokenClaims {
  installerId: string;
  /** `jti`: what a logout puts on the deny list. */
  tokenId: string;
  expiresAt: Date;
  /** When the password was set that the login used, Unix ms: another password ends the token. */
  passwordSetAtMs: number;
}

export interface AccessTokens {
  /** @returns the JWT (RS256, RFC 9068) for an installer. */
  issue(installerId: string, passwordSetAt: Date): Promise<string>;
  /** Checks signature, algorithm, type, issuer, audience and times; not yet whether it was revoked. Never rejects. */
  verify(token: string): Promise<Result<AccessTokenClaims, "expired" | "invalid">>;
}

/** @param issuer PUBLIC_API_URL. */
export function createAccessTokens(keys: SigningKeys, issuer: string): AccessTokens {
  return {
    issue(installerId, passwordSetAt) {
      return new SignJWT({ pwd: passwordSetAt.getTime() })
        .setProtectedHeader({ alg: "RS256", typ: "at+jwt", kid: keys.current.kid })
        .setIssuer(issuer)
        .setAudience(AUDIENCE)
        .setSubject(installerId)
        .setJti(newTokenId())
        .setIssuedAt()
        .setExpirationTime(`${ACCESS_TOKEN_SECONDS}s`)
        .sign(keys.current.privateKey);
    },
    async verify(token) {
      try {
        const { payload } = await jwtVerify(
          token,
          // Looked up among our own keys alone: `jku`, `jwk` and `x5u` of the header are never followed.
          (header) => {
            const key = keys.verifying.get(header.kid ?? "");
            if (key === undefined) throw new errors.JWKSNoMatchingKey();
            return key;
          },
          {
            algorithms: ["RS256"],
            typ: "at+jwt",
            issuer,
            audience: AUDIENCE,
            requiredClaims: ["sub", "iat", "exp", "jti", "pwd"],
            clockTolerance: CLOCK_TOLERANCE_SECONDS,
          },
        );
        const { sub, jti, exp, pwd } = payload;
        if (typeof sub !== "string" || typeof jti !== "string" || typeof exp !== "number" || typeof pwd !== "number")
          return err("invalid");
        return ok({ installerId: sub, tokenId: jti, expiresAt: new Date(exp * 1_000), passwordSetAtMs: pwd });
      } catch (refusal) {
        // jose checks the signature first: an expired token is one that was ours.
        return err(refusal instanceof errors.JWTExpired ? "expired" : "invalid");
      }
    },
  };
}
