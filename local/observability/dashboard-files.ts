import { join } from "node:path";
import { FOLDERS } from "../folders.ts";
import { grafanaJson } from "./dashboard.ts";
import { DASHBOARDS } from "./dashboards.ts";

export const DASHBOARDS_FOLDER = join(FOLDERS.root, "charts", "dynamo-csms", "dashboards");

/** The files that the chart makes ConfigMaps of, and what they hold. */
export function dashboardFiles(): { path: string; text: string }[] {
  return DASHBOARDS.map((dashboard) => ({
    path: join(DASHBOARDS_FOLDER, `${dashboard.name}.json`),
    text: grafanaJson(dashboard),
  }));
}
