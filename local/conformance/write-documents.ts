// `npm run generate:documents`: the documents that are made of the code.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FOLDERS } from "../folders.ts";
import { dashboardFiles } from "../observability/dashboard-files.ts";
import { METRICS_PAGE, metricsPage } from "../observability/metrics-page.ts";
import { SCALING_PAGE, scalingPage } from "../loadtest/scaling-page.ts";
import { cataloguePage } from "./catalogue-page.ts";
import { CATALOGUES } from "./catalogues.ts";
import { readmeWithSummary, supportedActionsPage } from "./supported-actions.ts";

const readme = join(FOLDERS.root, "README.md");
for (const catalogue of CATALOGUES) writeFileSync(join(FOLDERS.root, "docs", catalogue.page), cataloguePage(catalogue));
writeFileSync(join(FOLDERS.root, "docs", "supported-actions.md"), await supportedActionsPage());
writeFileSync(readme, await readmeWithSummary(readFileSync(readme, "utf8")));
writeFileSync(SCALING_PAGE, scalingPage(readFileSync(SCALING_PAGE, "utf8")));
writeFileSync(METRICS_PAGE, await metricsPage());
for (const { path, text } of dashboardFiles()) writeFileSync(path, text);
