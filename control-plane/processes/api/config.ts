import type { Environment } from "@dynamo-csms/proto/process/environment";
import type { Peppers } from "@dynamo-csms/proto/station-password";
import { type CommissioningSettings, readCommissioningSettings } from "../../commissioning/commissioning-settings.ts";
import { ConfigReader, type SharedConfig } from "../../config-reader.ts";
import { DEFAULT_RATE_LIMITS, parseRateLimit, type RateLimitConfig } from "../../http/rate-limits.ts";
import { parsePdfSigner, type PdfSigner } from "../../handover/pdf-signer.ts";
import { readStreamSettings, type StreamSettings } from "../../message-log/stream-settings.ts";
import type { BodyLimits } from "../../http/read-body.ts";
import { readPrivateKey, readPublicKey } from "../../installers/signing-keys.ts";
import type { TargetRules } from "../../webhooks/guarded-fetch.ts";
import { readTargetRules } from "../../webhooks/target-rules-config.ts";

export interface ApiConfig extends SharedConfig {
  host: string;
  /** 0: any free one; the "ready" line tells which. */
  port: number;
  /** Printed into mails, certificates and problem types; also the issuer of access tokens. */
  publicApiUrl: string;
  /** Printed into ocpp_endpoint. */
  publicOcppUrl: string;
  jwtSigningKey: string;
  jwtPreviousKeys: string;
  peppers: Peppers;
  heartbeatIntervalSeconds: number;
  commissioning: CommissioningSettings;
  rateLimits: RateLimitConfig;
  bodyLimits: BodyLimits;
  trustedProxies: string[];
  corsOrigins: ReadonlySet<string>;
  messageStreams: StreamSettings;
  webhookTargets: TargetRules;
  pdfSigner: PdfSigner;
  postgresConnections: number;
}

/** Reads the environment once. Throws BadConfiguration with every mistake. */
export function readConfig(env: Environment, readFile: (path: string) => string): Readonly<ApiConfig> {
  const read = new ConfigReader(env, readFile);
  const shared = read.shared();
  const web = shared.production ? ["https:"] : ["https:", "http:"];
  const heartbeatIntervalSeconds = read.integer("HEARTBEAT_INTERVAL_SECONDS", 300, 1, 86_400);
  return read.finish({
    ...shared,
    host: read.text("API_HOST", "0.0.0.0"),
    port: read.integer("API_PORT", 3000, 0, 65_535),
    publicApiUrl: read.url("PUBLIC_API_URL", web),
    publicOcppUrl: read.url("PUBLIC_OCPP_URL", shared.production ? ["wss:"] : ["wss:", "ws:"]),
    jwtSigningKey: read.required("JWT_SIGNING_KEY", "a private RSA key as PKCS#8 PEM", checked(readPrivateKey)),
    jwtPreviousKeys: readPreviousKeys(read),
    peppers: read.peppers(),
    heartbeatIntervalSeconds,
    commissioning: readCommissioningSettings(read, heartbeatIntervalSeconds),
    rateLimits: readRateLimits(read),
    bodyLimits: { maxBytes: 1_048_576, deadlineMs: read.durationMs("BODY_DEADLINE_MS", 10_000, 100, 60_000) },
    trustedProxies: list(read.text("TRUSTED_PROXIES", "")),
    corsOrigins: new Set(list(read.text("CORS_ORIGINS", ""))),
    messageStreams: readStreamSettings(read),
    webhookTargets: readTargetRules(read, shared.production),
    pdfSigner: readPdfSigner(read),
    postgresConnections: read.integer("API_POSTGRES_CONNECTIONS", 20, 2, 200),
  });
}

/** Keeps the text and throws away what was read: the keys are loaded when the process is put together. */
const checked = (check: (pem: string) => unknown) => (pem: string) => {
  check(pem);
  return pem;
};

function readPreviousKeys(read: ConfigReader): string {
  const pems = read.secret("JWT_PREVIOUS_KEYS") ?? "";
  for (const pem of pems.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? []) {
    try {
      readPublicKey(pem);
    } catch (cause) {
      read.mistakes.push(`JWT_PREVIOUS_KEYS: ${(cause as Error).message}`);
    }
  }
  return pems;
}

/** The key that signs certificates, with its X.509 certificate (and chain): both PEM. */
function readPdfSigner(read: ConfigReader): PdfSigner {
  const key: string | undefined = read.required("PDF_SIGNING_KEY", "a private key as PEM", (pem) => pem);
  // Without the key there is a mistake already, and nothing to compare the certificate with.
  return read.required("PDF_SIGNING_CERT", "X.509 certificates as PEM, the signer's first", (pem) =>
    key === undefined ? pem : parsePdfSigner(key, pem),
  ) as PdfSigner;
}

/** RATE_LIMIT_LOGIN, RATE_LIMIT_LOGIN_ACCOUNT and so on, each as requests/seconds. */
function readRateLimits(read: ConfigReader): RateLimitConfig {
  const limits = { ...DEFAULT_RATE_LIMITS };
  for (const name of Object.keys(limits) as (keyof RateLimitConfig)[]) {
    const variable = `RATE_LIMIT_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
    const text = read.optional(variable);
    if (text === undefined) continue;
    try {
      limits[name] = parseRateLimit(text);
    } catch (cause) {
      read.mistakes.push(`${variable}=${text}: ${(cause as Error).message}`);
    }
  }
  return limits;
}

const list = (text: string) =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
