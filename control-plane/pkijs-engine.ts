import { webcrypto } from "node:crypto";
import { CryptoEngine } from "pkijs";

/** What pkijs signs and verifies with: Node's Web Crypto, which the library knows by the browser's type alone. */
export const pkijsEngine = new CryptoEngine({
  name: "node",
  crypto: webcrypto as unknown as typeof globalThis.crypto,
});
