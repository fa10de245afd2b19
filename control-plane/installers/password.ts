import { hash, verify } from "@node-rs/argon2";
import { Overloaded } from "../overloaded.ts";
import { COMMON_PASSWORDS } from "./common-passwords.ts";

/** argon2id (the library's algorithm 2), OWASP's minimum: 19 MiB, two passes. */
const PARAMETERS = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const CURRENT = `$argon2id$v=19$m=${PARAMETERS.memoryCost},t=${PARAMETERS.timeCost},p=${PARAMETERS.parallelism}$`;

/** Each takes 19 MiB and a thread for some tens of milliseconds; the others wait, and beyond the bound they are turned away. */
const MAX_RUNNING = 4;
const MAX_WAITING = 200;

export const MIN_PASSWORD_LENGTH = 10;
/** Long enough for any passphrase, short enough that hashing stays cheap. */
export const MAX_PASSWORD_LENGTH = 200;

export interface Passwords {
  hash(password: string): Promise<string>;
  /** @param stored undefined when there is no such account: costs as much, and is false. */
  matches(stored: string | undefined, password: string): Promise<boolean>;
  /** True for a hash of former parameters: to be made anew at the next login. */
  isOutdated(stored: string): boolean;
}

/** Why a password may not be chosen, or undefined. Length counts, not which kinds of characters it mixes (NIST SP 800-63B). */
export function passwordWeakness(password: string, email: string): string | undefined {
  const folded = password.toLowerCase();
  if (COMMON_PASSWORDS.has(folded)) return "is one of the first that an attacker tries";
  if (new Set(folded).size < 4) return "repeats too few characters";
  if (folded === email.toLowerCase()) return "is the e-mail address";
  return undefined;
}

/** Throws Overloaded (from `hash` and `matches`) when too many wait. */
export function createPasswords(): Passwords {
  let running = 0;
  const waiting: (() => void)[] = [];
  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (running >= MAX_RUNNING) {
      if (waiting.length >= MAX_WAITING) throw new Overloaded("password hashing");
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else {
      running += 1;
    }
    try {
      return await work();
    } finally {
      // The place is handed on, or given up.
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  }
  // The same letters typed on another system may be other code points.
  const normal = (password: string) => password.normalize("NFKC");
  const hashNow = (password: string) => inTurn(() => hash(normal(password), PARAMETERS));
  let nobody: Promise<string> | undefined;
  return {
    hash: hashNow,
    async matches(stored, password) {
      nobody ??= hashNow("the password of nobody");
      const against = stored ?? (await nobody);
      const same = await inTurn(() => verify(against, normal(password)));
      return same && stored !== undefined;
    },
    isOutdated: (stored) => !stored.startsWith(CURRENT),
  };
}
