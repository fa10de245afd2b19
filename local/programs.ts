import { FOLDERS } from "./folders.ts";
import { freePort } from "./ports.ts";
import type { StackConfig } from "./stack-config.ts";
import type { Program } from "./supervisor.ts";

/** Short, so that what waits for a heartbeat is not waited for long when trying things out. */
export const HEARTBEAT_INTERVAL_SECONDS = "30";

/** What the data servers are reached by, and where the secrets are. */
export interface Surroundings {
  databaseUrl: string;
  redisUrl: string;
  /** Variable → file. */
  secretFiles: Record<string, string>;
}

export interface Programs {
  mailSink: Program | undefined;
  controlPlane: Program[];
  gateways: Program[];
  /** What one-time commands (migrate, bootstrap) run with. */
  commandEnv: Record<string, string | undefined>;
}

/**
 * All processes of the stack with their environment. A port that a process would choose is chosen here, so that it is
 * the same after it was started again.
 */
export async function listPrograms(
  config: StackConfig,
  around: Surroundings,
  env: Record<string, string | undefined>,
): Promise<Programs> {
  const smtpPort = await freePort();
  const decisionsPort = await freePort();
  const shared = {
    ...env,
    NODE_ENV: env["NODE_ENV"] ?? "development",
    DATABASE_URL: around.databaseUrl,
    REDIS_URL: around.redisUrl,
    SMTP_URL: config.smtpUrl ?? `smtp://127.0.0.1:${smtpPort}`,
    MAIL_FROM: env["MAIL_FROM"] ?? "Dynamo CSMS <noreply@dynamo-csms.example>",
    API_PORT: String(config.apiPort),
    DECISIONS_PORT: String(decisionsPort),
    DECISIONS_URL: env["DECISIONS_URL"] ?? `127.0.0.1:${decisionsPort}`,
    PUBLIC_API_URL: config.publicApiUrl,
    PUBLIC_OCPP_URL: config.publicOcppUrl,
    // Its key lies beside the data, which is not for production.
    CERTIFICATE_AUTHORITY: env["CERTIFICATE_AUTHORITY"] ?? (env["NODE_ENV"] === "production" ? "none" : "local"),
    FIRST_ORG_CONTACT_EMAIL: config.firstOrganisation.contactEmail,
    HEARTBEAT_INTERVAL_SECONDS: env["HEARTBEAT_INTERVAL_SECONDS"] ?? HEARTBEAT_INTERVAL_SECONDS,
    ...secretVariables(around.secretFiles, env),
  };
  const program = async (name: string, file: string, own: Record<string, string> = {}): Promise<Program> => ({
    name,
    file,
    env: { ...shared, INTERNAL_PORT: String(await freePort()), ...own },
    stopDeadlineMs: 35_000,
  });
  const controlPlane = ["decisions", "intake", "jobs", "api"].map((name) =>
    program(name, `control-plane/processes/${name}/main.ts`),
  );
  const gateways = config.gatewayPorts.map((port, index) =>
    program(`gateway-${index + 1}`, "gateway/main.ts", {
      GATEWAY_PORT: String(port),
      NODE_ID: `gateway-${index + 1}`,
      DRAIN_DEADLINE_MS: env["DRAIN_DEADLINE_MS"] ?? "5000",
    }),
  );
  const mailSink: Program = {
    name: "mail",
    file: "local/processes/mail-sink.ts",
    env: { ...env, MAIL_FOLDER: FOLDERS.mail, MAIL_PORT: String(config.mailPort), SMTP_PORT: String(smtpPort) },
    stopDeadlineMs: 5_000,
  };
  return {
    mailSink: config.smtpUrl === undefined ? mailSink : undefined,
    controlPlane: await Promise.all(controlPlane),
    gateways: await Promise.all(gateways),
    commandEnv: shared,
  };
}

/** `X_FILE` for each secret that the person did not set as `X` or `X_FILE`. */
function secretVariables(
  files: Record<string, string>,
  env: Record<string, string | undefined>,
): Record<string, string> {
  const ours = Object.entries(files).filter(([name]) => !env[name] && !env[`${name}_FILE`]);
  return Object.fromEntries(ours.map(([name, file]) => [`${name}_FILE`, file]));
}
