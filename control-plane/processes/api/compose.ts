import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { BULL_PREFIX } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { MikroORM } from "@mikro-orm/postgresql";
import type pg from "pg";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { commandRoutes } from "../../commands/command-routes.ts";
import { DELIVERY_TIMING } from "../../commands/deliver-command.ts";
import { createNodeChannel } from "../../commands/node-channel.ts";
import { resolveOwner } from "../../commands/resolve-owner.ts";
import { createCommandSender } from "../../commands/send-command.ts";
import { awaitIntake } from "../../commissioning/await-intake.ts";
import { commissioningRoutes } from "../../commissioning/commissioning-routes.ts";
import { sqlOn } from "../../database.ts";
import { handoverRoutes } from "../../handover/handover-routes.ts";
import { docsRoutes } from "../../http/docs-routes.ts";
import { createHttpMetrics } from "../../http/http-metrics.ts";
import type { JsonSchema } from "../../http/json-schema.ts";
import { buildOpenApi } from "../../http/openapi.ts";
import { createRateLimits } from "../../http/rate-limits.ts";
import type { Route } from "../../http/route.ts";
import { createHttpServer, type HttpServer } from "../../http/server.ts";
import { createRequestValidator } from "../../http/validate-request.ts";
import { createAccessTokens } from "../../installers/access-token.ts";
import { accountRoutes } from "../../installers/account-routes.ts";
import { jwksRoute } from "../../installers/jwks-route.ts";
import { mailedLinkRoutes } from "../../installers/mailed-link-routes.ts";
import { createPasswords } from "../../installers/password.ts";
import { loadSigningKeys } from "../../installers/signing-keys.ts";
import { createWakeUps } from "../../jobs/wake-ups.ts";
import { messageLogRoutes } from "../../message-log/message-log-routes.ts";
import { apiKeyRoutes } from "../../organizations/api-key-routes.ts";
import { assignmentRoutes } from "../../projects/assignment-routes.ts";
import { installerProjectRoutes } from "../../projects/installer-project-routes.ts";
import { operatorProjectRoutes } from "../../projects/operator-project-routes.ts";
import { installerChargePointRoutes } from "../../stations/installer-charge-point-routes.ts";
import { registerChargePointRoute } from "../../stations/register-charge-point-route.ts";
import { operatorChargePointRoutes } from "../../stations/operator-charge-point-routes.ts";
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
  const { orm, pool, redis, subscriber } = connections;
  const { secretsKey, publicApiUrl, publicOcppUrl } = config;
  const sql = sqlOn(pool);
  const keys = await loadSigningKeys(config.jwtSigningKey, config.jwtPreviousKeys);
  const accessTokens = createAccessTokens(keys, publicApiUrl);
  const rateLimits = createRateLimits(redis, config.rateLimits);
  const validator = createRequestValidator();
  const wakeUps = createWakeUps({ redis, prefix: BULL_PREFIX, log });
  const ownerOf = (identity: StationIdentity) => resolveOwner(redis, identity);
  const channel = createNodeChannel({ askerId: `api-${randomBytes(8).toString("hex")}`, redis, subscriber, log });
  const sender = createCommandSender({ sql, channel, resolveOwner: ownerOf, secretsKey, timing: DELIVERY_TIMING, log });

  const accounts = { orm, passwords: createPasswords(), accessTokens, rateLimits, wakeUps, secretsKey, publicApiUrl };
  const registrations = {
    orm,
    peppers: config.peppers,
    registry: { pool, redis, heartbeatIntervalSeconds: config.heartbeatIntervalSeconds },
  };
  const routes: Route[] = [
    ...accountRoutes(accounts),
    ...mailedLinkRoutes(accounts),
    ...installerProjectRoutes({ orm }),
    registerChargePointRoute({ ...registrations, publicOcppUrl }),
    ...installerChargePointRoutes({ ...registrations, wakeUps, redis, publicOcppUrl }),
    ...commissioningRoutes({
      pool,
      resolveOwner: ownerOf,
      awaitIntake: (owner) => awaitIntake({ redis, sql }, owner),
      wakeUps,
      settings: config.commissioning,
    }),
    ...handoverRoutes({ pool, secretsKey, wakeUps, pdfSigner: config.pdfSigner, publicApiUrl }),
    ...operatorProjectRoutes({ orm }),
    ...assignmentRoutes({ orm, secretsKey, wakeUps }),
    ...operatorChargePointRoutes({ ...registrations, wakeUps, redis, publicOcppUrl }),
    ...messageLogRoutes({ orm }),
    ...commandRoutes({ pool, sender, validator }),
    ...webhookRoutes({ pool, secretsKey, wakeUps, targetRules: config.webhookTargets }),
    ...apiKeyRoutes({ orm }),
    jwksRoute(keys),
    ...docsRoutes(() => openApi),
  ];
  const openApi = buildOpenApi({ routes, publicApiUrl, version: packageVersion(), webhooks: webhookDocs() });
  const server = createHttpServer({
    routes,
    sql,
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
