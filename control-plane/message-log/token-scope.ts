import type { Scope } from "../http/route.ts";
import { maskToken, maskTokensIn } from "./mask-tokens.ts";

/** Keys with it are shown tokens as they are; all others masked, wherever they stand. */
export const TOKEN_SCOPE: Scope = "read:id_tokens";

/** For descriptions of what shows tokens. */
export const TOKENS_MASKED = `masked unless the key has the scope ${TOKEN_SCOPE}`;

export const seesTokens = (scopes: readonly Scope[]): boolean => scopes.includes(TOKEN_SCOPE);

/** The token as a caller with these scopes may see it. */
export const shownToken = <Token extends string | null>(token: Token, scopes: readonly Scope[]): Token | string =>
  token === null || seesTokens(scopes) ? token : maskToken(token);

/** JSON that was made of a message, its tokens as a caller with these scopes may see them. */
export const shownPayload = (payload: unknown, scopes: readonly Scope[]): unknown =>
  seesTokens(scopes) ? payload : maskTokensIn(payload);
