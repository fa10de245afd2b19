// What a gateway's pod runs before the gateway: in an upgrade the gateways come after the control plane of their release.
// It asks for nothing but life, for a bounded time: gateways serve without a control plane, and start without it too.
import { setTimeout as sleep } from "node:timers/promises";
import { answersGet, awaitLive, readAwaitArguments } from "@dynamo-csms/proto/process/await-live";
import { createLogger } from "@dynamo-csms/proto/process/logger";

const { urls, limitMs } = readAwaitArguments(process.argv.slice(2));
const log = createLogger("info", "wait");
await awaitLive(urls, limitMs, { answers: answersGet, nowMs: () => performance.now(), pause: (ms) => sleep(ms), log });
