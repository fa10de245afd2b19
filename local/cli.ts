// `npm run cli -- …`: the control plane's command line, on the databases of the running local stack.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readCredentials } from "./first-organisation.ts";
import { FOLDERS } from "./folders.ts";
import { isAlive } from "./process-identity.ts";
import { HEARTBEAT_INTERVAL_SECONDS } from "./programs.ts";
import { readState } from "./stack-state.ts";

const state = readState(FOLDERS.state);
const credentials = state && isAlive(state.supervisor) ? readCredentials() : undefined;
const args = process.argv.slice(2);
// What asks for words alone needs no servers.
const asksForWords =
  args.length === 0 || args[0] === "completion" || args.some((arg) => arg === "--help" || arg === "-h");
if (!credentials && !process.env["DATABASE_URL"] && !asksForWords) {
  console.error("nothing runs here: npm start first, or set DATABASE_URL and REDIS_URL");
  process.exit(2);
}
const running = credentials && {
  DATABASE_URL: credentials.postgres_url,
  REDIS_URL: credentials.redis_url,
  PUBLIC_API_URL: credentials.api_url,
  PUBLIC_OCPP_URL: credentials.ocpp_urls[0],
  HEARTBEAT_INTERVAL_SECONDS,
};
const child = spawn(
  process.execPath,
  ["--conditions=source", join(FOLDERS.root, "control-plane/processes/cli/main.ts"), ...args],
  {
    env: {
      ...running,
      ...secretFile("SECRETS_KEY", "secrets-key"),
      ...secretFile("STATION_PEPPERS", "station-peppers"),
      // For doctor alone.
      ...secretFile("JWT_SIGNING_KEY", "jwt-signing-key.pem"),
      ...secretFile("PDF_SIGNING_KEY", "pdf-signing-key.pem"),
      ...secretFile("PDF_SIGNING_CERT", "pdf-signing-cert.pem"),
      ...secretFile("LOCAL_CA_CERT", "local-ca-cert.pem"),
      ...process.env,
    },
    stdio: "inherit",
  },
);
// From a terminal the child has it as well, and takes the second for the same. Its end is ours: it may have to tidy up.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 1)));

/** The local stack's own secret, unless the person has set another. */
function secretFile(variable: string, name: string): Record<string, string> {
  const file = join(FOLDERS.secrets, name);
  const isSet = Boolean(process.env[variable] || process.env[`${variable}_FILE`]);
  return isSet || !existsSync(file) ? {} : { [`${variable}_FILE`]: file };
}
