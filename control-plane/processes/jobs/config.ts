import type { Environment } from "@dynamo-csms/proto/process/environment";
import { readCertificateAuthority } from "../../certificates/authority-config.ts";
import type { CertificateAuthority } from "../../certificates/certificate-authority.ts";
import { type CommissioningSettings, readCommissioningSettings } from "../../commissioning/commissioning-settings.ts";
import { ConfigReader, type SharedConfig } from "../../config-reader.ts";
import { parseMailFrom, type Sender } from "../../mail/mail-address.ts";
import type { TransactionQuestions } from "../../transactions/ask-transaction-status.ts";
import type { TargetRules } from "../../webhooks/guarded-fetch.ts";
import { readTargetRules } from "../../webhooks/target-rules-config.ts";

export interface JobsConfig extends SharedConfig {
  heartbeatIntervalSeconds: number;
  commissioning: CommissioningSettings;
  /** Told to installers whose unit does not connect. */
  publicOcppUrl: string;
  smtpUrl: string;
  mailFrom: Sender;
  webhookTargets: TargetRules;
  transactionQuestions: TransactionQuestions;
  /** Who issues stations' certificates; undefined: nobody. */
  certificateAuthority: CertificateAuthority | undefined;
  /** How long before its certificate expires a station is asked for a new key. */
  certificateRenewalDays: number;
  /** Frames and meter readings older than this go. */
  messageLogDays: number;
  meterValuesDays: number;
  /** The same for NotifyEvent and for DataTransfer. */
  stationEventsDays: number;
  dataTransfersDays: number;
  /** The same for commands that are final, and for what they set up once it is over. */
  commandsDays: number;
  /** The same for dead letters that were replayed or discarded, gaps that were acknowledged, and quarantined messages. */
  deadLettersDays: number;
  quarantineDays: number;
  postgresConnections: number;
  /** How often rows are looked for that Redis forgot, and the periodic sweeps run. */
  sweepMs: number;
}

/** Reads the environment once. Throws BadConfiguration with every mistake. */
export function readConfig(env: Environment, readFile: (path: string) => string): Readonly<JobsConfig> {
  const read = new ConfigReader(env, readFile);
  const shared = read.shared();
  const heartbeatIntervalSeconds = read.integer("HEARTBEAT_INTERVAL_SECONDS", 300, 1, 86_400);
  return read.finish({
    ...shared,
    heartbeatIntervalSeconds,
    commissioning: readCommissioningSettings(read, heartbeatIntervalSeconds),
    publicOcppUrl: read.url("PUBLIC_OCPP_URL", shared.production ? ["wss:"] : ["wss:", "ws:"]),
    smtpUrl: read.url("SMTP_URL", ["smtp:", "smtps:"]),
    mailFrom: readMailFrom(read, shared.production),
    webhookTargets: readTargetRules(read, shared.production),
    transactionQuestions: {
      graceMs: read.durationMs("TRANSACTION_GRACE", 300_000, 1_000, 86_400_000),
      silenceMs: read.durationMs("TRANSACTION_SILENCE", 3_600_000, 1_000, 604_800_000),
    },
    certificateAuthority: readCertificateAuthority(read, shared.production),
    certificateRenewalDays: read.integer("CERTIFICATE_RENEWAL_DAYS", 30, 1, 365),
    messageLogDays: read.integer("MESSAGE_LOG_DAYS", 90, 1, 3_650),
    meterValuesDays: read.integer("METER_VALUES_DAYS", 1_095, 1, 36_500),
    stationEventsDays: read.integer("STATION_EVENTS_DAYS", 365, 1, 36_500),
    dataTransfersDays: read.integer("DATA_TRANSFERS_DAYS", 90, 1, 3_650),
    commandsDays: read.integer("COMMANDS_DAYS", 365, 1, 36_500),
    deadLettersDays: read.integer("DEAD_LETTERS_DAYS", 90, 1, 3_650),
    quarantineDays: read.integer("QUARANTINE_DAYS", 365, 1, 36_500),
    postgresConnections: read.integer("JOBS_POSTGRES_CONNECTIONS", 20, 4, 200),
    sweepMs: read.durationMs("JOBS_SWEEP", 1_000, 100, 60_000),
  });
}

/** Outside production nobody checks who sends: the sink takes everything. */
function readMailFrom(read: ConfigReader, production: boolean): Sender {
  if (!production && read.optional("MAIL_FROM") === undefined)
    return { name: "Dynamo CSMS", address: "no-reply@localhost" };
  return read.required("MAIL_FROM", "`Name <address>`", parseMailFrom);
}
