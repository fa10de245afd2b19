import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import type { Tracing } from "@dynamo-csms/proto/process/tracing";
import { BULL_PREFIX } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { MikroORM } from "@mikro-orm/postgresql";
import type pg from "pg";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { auditRoutes } from "../../audit/audit-routes.ts";
import { availabilityRoute } from "../../availability/availability-route.ts";
import { chargingProfileRoutes } from "../../charging-profiles/charging-profile-routes.ts";
import { bulkCommandRoute } from "../../commands/bulk-command-route.ts";
import { createCommandDesk } from "../../commands/command-desk.ts";
import { commandHistoryRoutes } from "../../commands/command-history-routes.ts";
import { idTokenRoutes } from "../../authorization/id-token-routes.ts";
import { importIdTokensRoute } from "../../authorization/import-id-tokens-route.ts";
import { stationCertificateRoutes } from "../../certificates/station-certificate-routes.ts";
import { createCommandMetrics } from "../../commands/command-metrics.ts";
import { commandRoutes } from "../../commands/command-routes.ts";
import { DELIVERY_TIMING } from "../../commands/deliver-command.ts";
import { createQueuedDelivery } from "../../commands/deliver-queued.ts";
import { createNodeChannel } from "../../commands/node-channel.ts";
import { findHolder, resolveOwner } from "../../commands/resolve-owner.ts";
import { createCommandSender } from "../../commands/send-command.ts";
import { awaitIntake } from "../../commissioning/await-intake.ts";
import { commissioningRoutes } from "../../commissioning/commissioning-routes.ts";
import { connectionAttemptRoutes } from "../../connection-attempts/connection-attempt-routes.ts";
import { createConnectionDiagnosis } from "../../connection-attempts/diagnose-connection.ts";
import { credentialRoutes } from "../../credentials/credential-routes.ts";
import { preparePasswordCommand } from "../../credentials/prepare-password-command.ts";
import { securityProfileRoute } from "../../credentials/security-profile-route.ts";
import { sqlOf, sqlOn } from "../../database.ts";
import { deadLetterRoutes } from "../../dead-letters/dead-letter-routes.ts";
import { handoverRoutes } from "../../handover/handover-routes.ts";
import { docsRoutes } from "../../http/docs-routes.ts";
import { createHttpMetrics } from "../../http/http-metrics.ts";
import { transferRoutes } from "../../firmware/transfer-routes.ts";
import type { JsonSchema } from "../../http/json-schema.ts";
import { buildOpenApi } from "../../http/openapi.ts";
import { createRateLimits } from "../../http/rate-limits.ts";
import type { Route } from "../../http/route.ts";
import { createHttpServer, type HttpServer } from "../../http/server.ts";
import { createRequestValidator } from "../../http/validate-request.ts";
import { createAccessTokens } from "../../installers/access-token.ts";
import { accountRoutes } from "../../installers/account-routes.ts";
import { closeAccountRoute } from "../../installers/close-account-route.ts";
import { jwksRoute } from "../../installers/jwks-route.ts";
import { mailedLinkRoutes } from "../../installers/mailed-link-routes.ts";
import { createPasswords } from "../../installers/password.ts";
import { loadSigningKeys } from "../../installers/signing-keys.ts";
import { createWakeUps } from "../../jobs/wake-ups.ts";
import { localListRoutes } from "../../local-lists/local-list-routes.ts";
import { messageLogRoutes } from "../../message-log/message-log-routes.ts";
import { apiKeyRoutes } from "../../organizations/api-key-routes.ts";
import { erasureRoutes } from "../../personal-data/erasure-routes.ts";
import { assignmentRoutes } from "../../projects/assignment-routes.ts";
import { installerProjectRoutes } from "../../projects/installer-project-routes.ts";
import { operatorProjectRoutes } from "../../projects/operator-project-routes.ts";
import { quirkProfileRoutes } from "../../quirks/quirk-profile-routes.ts";
import { stationQuirkRoutes } from "../../quirks/station-quirk-routes.ts";
import { meterValueRoutes } from "../../sessions/meter-value-routes.ts";
import { sessionRoutes } from "../../sessions/session-routes.ts";
import { installerChargePointRoutes } from "../../stations/installer-charge-point-routes.ts";
import { stationReportRoutes } from "../../station-items/station-report-routes.ts";
import { registerChargePointRoute } from "../../stations/register-charge-point-route.ts";
import { reservationRoutes } from "../../reservations/reservation-routes.ts";
import { operatorChargePointRoutes } from "../../stations/operator-charge-point-routes.ts";
import { stationLifeRoutes } from "../../stations/station-life-routes.ts";
import { preparedSqlOn } from "../../prepared-sql.ts";
import { createMeterShapes } from "../../transactions/meter-shapes.ts";
import { webhookRoutes } from "../../webhooks/webhook-routes.ts";
import type { ApiConfig } from "./config.ts";
import { webhookDocs } from "./webhook-docs.ts";

export interface ApiConnections {
  orm: MikroORM;
  pool: pg.Pool;
  /** For "commands". */
  redis: RedisConnection;
  /** A "subscriber", for this process alone. */
  subscriber: RedisConnection;
  /** Where traces are recorded. */
  tracing?: Tracing | undefined;
}

export interface Api {
  server: HttpServer;
  routes: readonly Route[];
  openApi: JsonSchema;
  /** Resolves when reports of gateways can come. */
  start(): Promise<void>;
  /** After the server was closed: stops following commands and hands over what was woken. */
  stop(): Promise<void>;
}

/** Puts the REST API together out of its capabilities; main.ts and the tests open the connections. */
export async function composeApi(
  config: ApiConfig,
  connections: ApiConnections,
  registry: Registry,
  log: Logger,
): Promise<Api> {
  const { orm, pool, redis, subscriber, tracing } = connections;
  const { secretsKey, publicApiUrl, publicOcppUrl } = config;
  const sql = sqlOn(pool);
  const keys = await loadSigningKeys(config.jwtSigningKey, config.jwtPreviousKeys);
  const accessTokens = createAccessTokens(keys, publicApiUrl);
  const rateLimits = createRateLimits(redis, config.rateLimits);
  const validator = createRequestValidator();
  const wakeUps = createWakeUps({ redis, prefix: BULL_PREFIX, log });
  const ownerOf = (identity: StationIdentity) => resolveOwner(redis, identity);
  const channel = createNodeChannel({ askerId: `api-${randomBytes(8).toString("hex")}`, redis, subscriber, log });
  const commandMetrics = createCommandMetrics(registry);
  const sender = createCommandSender({
    pool,
    channel,
    resolveOwner: ownerOf,
    findHolder: (identity) => findHolder(redis, identity),
    secretsKey,
    timing: DELIVERY_TIMING,
    metrics: commandMetrics,
    tracing,
    log,
  });
  const { askerId } = channel;
  const queue = createQueuedDelivery({
    pool,
    sender,
    resolveOwner: ownerOf,
    secretsKey,
    askerId,
    metrics: commandMetrics,
    log,
  });
  const registryDeps = { pool, redis, heartbeatIntervalSeconds: config.heartbeatIntervalSeconds };
  const credentials = { registry: registryDeps, secretsKey, peppers: config.peppers };
  const desk = createCommandDesk({
    pool,
    sender,
    queue,
    secretsKey,
    preparePassword: (command) => preparePasswordCommand(credentials, command),
    log,
  });

  const accounts = { orm, passwords: createPasswords(), accessTokens, rateLimits, wakeUps, secretsKey, publicApiUrl };
  const registrations = {
    orm,
    peppers: config.peppers,
    registry: registryDeps,
  };
  const routes: Route[] = [
    ...accountRoutes(accounts),
    closeAccountRoute(accounts),
    ...mailedLinkRoutes(accounts),
    ...installerProjectRoutes({ orm }),
    registerChargePointRoute({ ...registrations, publicOcppUrl }),
    ...installerChargePointRoutes({ ...registrations, wakeUps, redis, publicOcppUrl }),
    ...commissioningRoutes({
      pool,
      resolveOwner: ownerOf,
      awaitIntake: (owner) => awaitIntake({ redis, sql }, owner),
      diagnose: createConnectionDiagnosis({ redis, publicOcppUrl }),
      wakeUps,
      settings: config.commissioning,
    }),
    ...handoverRoutes({ pool, secretsKey, wakeUps, pdfSigner: config.pdfSigner, publicApiUrl }),
    ...operatorProjectRoutes({ orm }),
    ...assignmentRoutes({ orm, secretsKey, wakeUps }),
    ...operatorChargePointRoutes({ ...registrations, wakeUps, redis, publicOcppUrl }),
    securityProfileRoute({ registry: registryDeps, redis, publicOcppUrl }),
    ...credentialRoutes(credentials),
    ...stationCertificateRoutes(registryDeps),
    ...stationReportRoutes({ pool }),
    ...messageLogRoutes({ pool, streams: config.messageStreams }),
    ...connectionAttemptRoutes({ pool, redis, publicOcppUrl }),
    ...quirkProfileRoutes({ pool }),
    ...stationQuirkRoutes({ pool, registry: registrations.registry }),
    // Before the routes of one charge point: "bulk" is none.
    bulkCommandRoute({ pool, desk, validator }),
    ...commandRoutes({ pool, desk, validator }),
    ...commandHistoryRoutes({ pool, metrics: commandMetrics, log }),
    ...reservationRoutes({ pool }),
    ...chargingProfileRoutes({ pool }),
    ...localListRoutes({ pool, wakeUps }),
    ...transferRoutes({ pool }),
    availabilityRoute({ pool }),
    ...webhookRoutes({ pool, secretsKey, wakeUps, targetRules: config.webhookTargets }),
    ...sessionRoutes({ sql }),
    ...meterValueRoutes({ sql }),
    // Before {token_id}: "import" is none.
    importIdTokensRoute({ sql, redis, log }),
    ...idTokenRoutes({ sql, redis, log }),
    ...apiKeyRoutes({ orm }),
    ...auditRoutes({ sql }),
    // Shapes on the domain code's connections: a replay holds one of the pool already.
    ...deadLetterRoutes({ pool, shapes: createMeterShapes(sqlOf(orm.em.fork())), log }),
    ...erasureRoutes({ sql, secretsKey }),
    ...stationLifeRoutes({ ...registrations, pool, redis, wakeUps, publicOcppUrl }),
    jwksRoute(keys),
    ...docsRoutes(() => openApi),
  ];
  const openApi = buildOpenApi({ routes, publicApiUrl, version: packageVersion(), webhooks: webhookDocs() });
  const server = createHttpServer({
    routes,
    sql: preparedSqlOn(pool),
    accessTokens,
    secretsKey,
    validator,
    rateLimits,
    bodyLimits: config.bodyLimits,
    publicApiUrl,
    metrics: createHttpMetrics(registry),
    log,
    trustedProxies: config.trustedProxies,
    corsOrigins: config.corsOrigins,
    tracing,
  });
  return {
    server,
    routes,
    openApi,
    start: () => channel.start(),
    async stop() {
      await sender.stop();
      await channel.stop();
      await wakeUps.close();
    },
  };
}

/** This package's own version; the file lies beside the sources, and above what is compiled of them. */
function packageVersion(): string {
  const require = createRequire(import.meta.url);
  const { version } = require("@dynamo-csms/control-plane/package.json") as { version: string };
  return version;
}
