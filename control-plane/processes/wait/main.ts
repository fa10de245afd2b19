// What a pod of the control plane runs before its process: waits for the schema of this release, for as long as that takes,
// and then, for a bounded time, until the processes that come before this one in an upgrade have begun.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { answersGet, awaitLive, readAwaitArguments } from "@dynamo-csms/proto/process/await-live";
import { configure } from "@dynamo-csms/proto/process/bad-configuration";
import { createLogger } from "@dynamo-csms/proto/process/logger";
import { endOnFault } from "@dynamo-csms/proto/process/shutdown";
import { readConfig } from "./config.ts";
import { awaitSchema } from "./await-schema.ts";

const config = configure("wait", () => readConfig(process.env, (path) => readFileSync(path, "utf8")));
const { urls, limitMs } = readAwaitArguments(process.argv.slice(2));
const log = createLogger(config.logLevel, "wait");
endOnFault(log);
await awaitSchema({ databaseUrl: config.databaseUrl, pause: (ms) => sleep(ms), log });
await awaitLive(urls, limitMs, { answers: answersGet, nowMs: () => performance.now(), pause: (ms) => sleep(ms), log });
