import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ConfigReader } from "../../config-reader.ts";
import { loadSigningKeys, readPrivateKey } from "../../installers/signing-keys.ts";
import { type CommandIo, defineCommand } from "./cli-command.ts";

const BITS = 3072;

/** JWT_SIGNING_KEY and JWT_PREVIOUS_KEYS as the api process reads them. Throws BadConfiguration. */
function readKeys({ env, readFile }: CommandIo): { signing: string; previous: string } {
  const read = new ConfigReader(env, readFile);
  const signing = read.required("JWT_SIGNING_KEY", "a private RSA key as PKCS#8 PEM", (pem) => {
    readPrivateKey(pem);
    return pem;
  });
  return read.finish({ signing, previous: read.secret("JWT_PREVIOUS_KEYS") ?? "" });
}

/**
 * Makes the next key of access tokens, and the files of the three steps in which it comes into use without a wrongful 401:
 * known everywhere first, then signing, then alone. Changes nothing that runs; existing files are not written over.
 */
async function rotate({ out }: { out: string }, io: CommandIo): Promise<void> {
  const { signing, previous } = readKeys(io);
  const next = generateKeyPairSync("rsa", { modulusLength: BITS });
  const nextPrivate = next.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const nextPublic = next.publicKey.export({ type: "spki", format: "pem" }).toString();
  const formerPublic = createPublicKey(readPrivateKey(signing)).export({ type: "spki", format: "pem" }).toString();
  const [before, after] = await Promise.all([loadSigningKeys(signing), loadSigningKeys(nextPrivate)]);
  const kept = previous.trim() === "" ? "" : `${previous.trim()}\n`;
  const files = {
    "1-previous-keys.pem": `${kept}${nextPublic}`,
    "2-signing-key.pem": nextPrivate,
    "2-previous-keys.pem": formerPublic,
  };
  mkdirSync(out, { recursive: true, mode: 0o700 });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(out, name), text, { mode: 0o600, flag: "wx" });
  io.print({
    current_kid: before.current.kid,
    next_kid: after.current.kid,
    files: Object.keys(files).map((name) => join(out, name)),
  });
  io.note(
    [
      "Nothing has changed yet. For each step change the secret, then restart all api processes (a rolling restart):",
      `  1. JWT_PREVIOUS_KEYS = ${join(out, "1-previous-keys.pem")}`,
      `  2. JWT_SIGNING_KEY = ${join(out, "2-signing-key.pem")}, JWT_PREVIOUS_KEYS = ${join(out, "2-previous-keys.pem")}`,
      "  3. an hour later: JWT_PREVIOUS_KEYS empty. Then delete the folder.",
    ].join("\n"),
  );
}

/** Keys of access tokens. */
export const jwtCommands = [
  defineCommand({
    name: "jwt show",
    summary: "Prints the ids of the keys of access tokens, as the api process is given them.",
    flags: {},
    examples: ["jwt show"],
    columns: ["kid", "use"],
    reads: true,
    async run(_, io) {
      const { signing, previous } = readKeys(io);
      const { current, verifying } = await loadSigningKeys(signing, previous);
      for (const kid of verifying.keys()) io.print({ kid, use: kid === current.kid ? "signs" : "verifies" });
    },
  }),
  defineCommand({
    name: "jwt rotate",
    summary: "Makes the next key of access tokens, and says in which steps it comes into use.",
    more: "Reads JWT_SIGNING_KEY and JWT_PREVIOUS_KEYS as api has them. Nobody is logged out, and nothing that runs is changed.",
    flags: { out: { value: "FOLDER", required: true, help: "where the files go; only you can read them" } },
    examples: ["jwt rotate --out jwt-rotation"],
    reads: true,
    run: rotate,
  }),
];
