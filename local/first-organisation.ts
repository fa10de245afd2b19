import { execFile } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { FOLDERS } from "./folders.ts";

/** `.local/credentials.json`: what a person, the demo and tests need to use the running stack. */
export interface Credentials {
  org_id: string;
  /** Undefined when the organisation was made by another checkout, which alone was told the key. */
  api_key?: string;
  api_url: string;
  ocpp_urls: string[];
  /** Null when mails go to SMTP_URL. */
  mail_url: string | null;
  postgres_url: string;
  redis_url: string;
}

/** Brings the database to this version's schema. Throws with the migration's output. */
export async function migrate(env: Record<string, string | undefined>): Promise<void> {
  await command(["control-plane/processes/migrate/main.ts"], env, "migrate");
}

/**
 * Makes the first organisation and its API key, unless they are there, and writes the credentials.
 *
 * @returns the credentials, and whether the key was made just now
 */
export async function ensureFirstOrganisation(
  organisation: { name: string; contactEmail: string },
  where: Omit<Credentials, "org_id" | "api_key">,
  env: Record<string, string | undefined>,
): Promise<{ credentials: Credentials; isNew: boolean }> {
  const args = [
    "control-plane/processes/cli/main.ts",
    "bootstrap",
    "--name",
    organisation.name,
    "--contact-email",
    organisation.contactEmail,
  ];
  const output = await command(args, env, "bootstrap");
  const line = output
    .trim()
    .split("\n")
    .findLast((text) => text.startsWith("{"));
  if (!line) throw new Error(`making the first organisation printed no result:\n${output}`);
  const made = JSON.parse(line) as { org_id: string; api_key?: string };
  const kept = readCredentials();
  const api_key = made.api_key ?? (kept?.org_id === made.org_id ? kept.api_key : undefined);
  const credentials: Credentials = { org_id: made.org_id, ...(api_key === undefined ? {} : { api_key }), ...where };
  writeFileSync(`${FOLDERS.credentials}.tmp`, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${FOLDERS.credentials}.tmp`, FOLDERS.credentials);
  return { credentials, isNew: made.api_key !== undefined };
}

/** Undefined when the stack was never started here. */
export function readCredentials(): Credentials | undefined {
  return existsSync(FOLDERS.credentials)
    ? (JSON.parse(readFileSync(FOLDERS.credentials, "utf8")) as Credentials)
    : undefined;
}

async function command(args: string[], env: Record<string, string | undefined>, name: string): Promise<string> {
  const logFile = join(FOLDERS.logs, `${name}.log`);
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ["--conditions=source", ...args], {
      cwd: FOLDERS.root,
      env,
      maxBuffer: 16 << 20,
    });
    // The result on stdout may hold a key: only what is meant for the log goes into it.
    appendFileSync(logFile, stderr, { mode: 0o600 });
    return stdout;
  } catch (cause) {
    const { stdout = "", stderr = "" } = cause as { stdout?: string; stderr?: string };
    throw new Error(`${name} failed:\n${`${stdout}${stderr}`.trim().split("\n").slice(-20).join("\n")}`, { cause });
  }
}
