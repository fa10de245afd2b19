import type { SecretsKey } from "@dynamo-csms/proto/sealed-secret";
import type pg from "pg";
import type { Route } from "../http/route.ts";
import type { WakeUps } from "../jobs/durable-work.ts";
import { deliveryRoutes } from "./delivery-routes.ts";
import { endpointRoutes } from "./endpoint-routes.ts";
import type { TargetRules } from "./guarded-fetch.ts";

export interface WebhookRouteDeps {
  pool: pg.Pool;
  secretsKey: SecretsKey;
  wakeUps: WakeUps;
  targetRules: TargetRules;
}

/** The organisation's webhook endpoints, their secrets and their delivery log. */
export const webhookRoutes = (deps: WebhookRouteDeps): Route[] => [...endpointRoutes(deps), ...deliveryRoutes(deps)];
