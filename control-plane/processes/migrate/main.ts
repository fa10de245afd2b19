// Brings the database to this version's schema, and ends. Run before a new version's processes start; several at once wait
// for each other.
import { readFileSync } from "node:fs";
import { configure } from "@dynamo-csms/proto/process/bad-configuration";
import { createLogger } from "@dynamo-csms/proto/process/logger";
import { endOnFault } from "@dynamo-csms/proto/process/shutdown";
import { readConfig } from "./config.ts";
import { migrate } from "./migrate.ts";

const config = configure("migrate", () => readConfig(process.env, (path) => readFileSync(path, "utf8")));
const log = createLogger(config.logLevel, "migrate");
endOnFault(log);
await migrate({ databaseUrl: config.databaseUrl, waitMs: config.waitMs, log });
