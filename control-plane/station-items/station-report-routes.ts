import type pg from "pg";
import { dataTransferRoutes } from "../data-transfer/data-transfer-routes.ts";
import { derControlRoutes } from "../der-control/der-control-routes.ts";
import { variableRoutes } from "../device-model/variable-routes.ts";
import { displayMessageRoutes } from "../display-messages/display-message-routes.ts";
import { eventStreamRoutes } from "../event-streams/event-stream-routes.ts";
import type { Route } from "../http/route.ts";
import { monitoringRoutes } from "../monitoring/monitoring-routes.ts";
import { securityEventRoutes } from "../security-events/security-event-routes.ts";
import { noticeRoutes } from "../station-notices/notice-routes.ts";
import { tariffRoutes } from "../tariffs/tariff-routes.ts";

/** Everything that charge points report of themselves, to be read. */
export const stationReportRoutes = (deps: { pool: pg.Pool }): Route[] => [
  ...variableRoutes(deps),
  ...monitoringRoutes(deps),
  ...securityEventRoutes(deps),
  ...displayMessageRoutes(deps),
  ...derControlRoutes(deps),
  ...tariffRoutes(deps),
  ...eventStreamRoutes(deps),
  ...noticeRoutes(deps),
  ...dataTransferRoutes(deps),
];
