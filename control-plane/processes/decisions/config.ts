import type { Environment } from "@dynamo-csms/proto/process/environment";
import {
  type CertificateDecisionSettings,
  readCertificateDecisions,
} from "../../certificates/certificate-decisions-config.ts";
import { ConfigReader, type SharedConfig } from "../../config-reader.ts";
import { type DataTransferSettings, readDataTransferSettings } from "../../data-transfer/hook-settings.ts";

export interface DecisionsConfig extends SharedConfig {
  host: string;
  /** 0: any free one; the "ready" line tells which. */
  port: number;
  tls: { ca: Buffer; certificate: Buffer; key: Buffer } | undefined;
  heartbeatIntervalSeconds: number;
  authCacheSeconds: number;
  postgresConnections: number;
  dataTransfer: DataTransferSettings;
  certificates: CertificateDecisionSettings;
}

/** Reads the environment once. Throws BadConfiguration with every mistake. */
export function readConfig(env: Environment, readFile: (path: string) => string): Readonly<DecisionsConfig> {
  const read = new ConfigReader(env, readFile);
  const shared = read.shared();
  return read.finish({
    ...shared,
    host: read.text("DECISIONS_HOST", "127.0.0.1"),
    port: read.integer("DECISIONS_PORT", 50_051, 0, 65_535),
    tls: readTls(read),
    heartbeatIntervalSeconds: read.integer("HEARTBEAT_INTERVAL_SECONDS", 300, 1, 86_400),
    authCacheSeconds: read.integer("AUTH_CACHE_SECONDS", 86_400, 60, 2_592_000),
    postgresConnections: read.integer("DECISIONS_POSTGRES_CONNECTIONS", 10, 1, 200),
    certificates: readCertificateDecisions(read, shared.production),
    dataTransfer: readDataTransferSettings(read, env),
  });
}

/** All three or none: mutual TLS, or a plain server inside the local stack. */
function readTls(read: ConfigReader) {
  const ca = read.secret("DECISIONS_CA");
  const certificate = read.secret("DECISIONS_CERT");
  const key = read.secret("DECISIONS_KEY");
  if (ca === undefined && certificate === undefined && key === undefined) return undefined;
  if (ca !== undefined && certificate !== undefined && key !== undefined)
    return { ca: Buffer.from(ca), certificate: Buffer.from(certificate), key: Buffer.from(key) };
  read.mistakes.push("DECISIONS_CA, DECISIONS_CERT and DECISIONS_KEY: set all three (PEM) or none");
  return undefined;
}
