// Brings the database to this version's schema, and ends. Run before a new version's processes start; several at once wait
// for each other.
import { readFileSync } from "node:fs";
import { createLogger } from "../../logger.ts";
import { readConfig } from "./config.ts";
import { migrate } from "./migrate.ts";

const config = readConfig(process.env, (path) => readFileSync(path, "utf8"));
const log = createLogger(config.logLevel, "migrate");
await migrate({ databaseUrl: config.databaseUrl, waitMs: config.waitMs, log });
