// Whether an installation serves charge points: one is registered, connects, boots, is sent a command and answers it, and is
// retired. Ends with 0 when all of it went well, with 1 and the reason otherwise. Run by `helm test`.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { configure } from "@dynamo-csms/proto/process/bad-configuration";
import { createLogger } from "@dynamo-csms/proto/process/logger";
import { openOrm, sqlOf } from "../../database.ts";
import { createApiKey } from "../../organizations/create-api-key.ts";
import { ApiKeyEntity } from "../../organizations/organization.entity.ts";
import { generateChargePoints } from "../cli/generate-charge-points.ts";
import { cleanUpAfter } from "./clean-up-after.ts";
import { readConfig } from "./config.ts";
import { connectStation } from "./test-station.ts";

/** A charge point that boots for the first time may wait for this or that; a command has its own deadline. */
const DEADLINE_MS = 90_000;
/** Behind it, for retiring the charge point and revoking the key; both together below what the chart's pod may live. */
const CLEAN_UP_MS = 30_000;
const KEY_LIFE_MS = 600_000;
const never = new Promise<never>(() => {});

const readFile = (path: string) => readFileSync(path, "utf8");
const config = configure("try-out", () => readConfig(process.env, process.argv.slice(2), readFile));
const log = createLogger("info", "try-out");
/** Rejects when it is time to give up: what was made is taken back all the same. */
const over = Promise.withResolvers<never>();
over.promise.catch(() => {}); // it may come where nobody waits for it
const giveUp = (reason: string) => over.reject(new Error(reason));
setTimeout(giveUp, DEADLINE_MS, `not done after ${DEADLINE_MS / 1_000} s`);
process.once("SIGTERM", () => giveUp("told to stop"));
setTimeout(() => end(new Error("the clean-up does not end")), DEADLINE_MS + CLEAN_UP_MS);
await tryOut().then(() => end(), end);

function end(fault?: unknown): never {
  if (fault === undefined) log.info("charge points are served");
  else log.error({ error: fault }, "charge points are not served");
  process.exit(fault === undefined ? 0 : 1);
}

async function tryOut(): Promise<void> {
  const orm = await openOrm(config.databaseUrl, [ApiKeyEntity], 1);
  try {
    const em = orm.em.fork();
    const [organization] = await sqlOf(em).query<{ id: string }>(
      "select id from organizations where $1::text is null or id = $1::text order by created_at limit 1",
      [config.orgId ?? null],
    );
    if (organization === undefined) throw new Error("there is no such organisation: run `cli bootstrap` first");
    const { id: keyId, key } = await createApiKey(em, {
      orgId: organization.id,
      name: "try-out",
      scopes: ["read:charge_points", "write:charge_points"],
      expiresAt: new Date(Date.now() + KEY_LIFE_MS),
    });
    const revoke = () => sqlOf(em).query("update api_keys set revoked_at = now() where id = $1", [keyId]);
    // Not raced against the end: it ends by itself, and has its own clean-up to finish before the key goes.
    await cleanUpAfter(() => tryStation(organization.id, key), { over: never, run: revoke, onFailure });
  } finally {
    await orm.close();
  }
}

async function tryStation(orgId: string, key: string): Promise<void> {
  const [chargePointId, password] = await register(orgId);
  log.info({ station: chargePointId }, "registered");
  const retire = async () => {
    await ask(key, "DELETE", `/api/v1/charge-points/${chargePointId}`, undefined, AbortSignal.timeout(CLEAN_UP_MS / 2));
    log.info("retired");
  };
  const work = () => serve(chargePointId, password, key);
  await cleanUpAfter(work, { over: over.promise, run: retire, onFailure });
}

async function serve(chargePointId: string, password: string, key: string): Promise<void> {
  const station = await connectStation(config.ocppUrl, chargePointId, password);
  log.info("connected");
  const hardware = { chargePointVendor: "Dynamo CSMS", chargePointModel: "try-out" };
  for (;;) {
    const boot = await station.call("BootNotification", hardware);
    if (boot["status"] === "Accepted") break;
    log.info({ status: boot["status"] }, "boot not accepted yet");
    await sleep(2_000);
  }
  log.info("booted");
  const command = await ask(key, "POST", "/api/v1/ocpp16/send_command", {
    charge_point_id: chargePointId,
    command: "TriggerMessage",
    payload: { requestedMessage: "Heartbeat" },
  });
  const action = await station.commanded;
  if (command["status"] !== "accepted") throw new Error(`the command ended as ${JSON.stringify(command)}`);
  log.info({ action, ms: command["response_time_ms"] }, "commanded");
  await station.call("Heartbeat", {});
  station.close();
}

function onFailure(error: unknown): void {
  log.error({ error }, "not cleaned up");
}

/** As `cli charge-points generate` does it, the gateways' registry included. */
async function register(orgId: string): Promise<[chargePointId: string, password: string]> {
  const folder = mkdtempSync(join(tmpdir(), "try-out-"));
  try {
    const out = join(folder, "charge-point.csv");
    await generateChargePoints(
      { count: "1", ocpp: "1.6", out, org: orgId },
      { env: process.env, readFile, note: () => {} },
    );
    const [, line = ""] = readFile(out).split("\n");
    const [chargePointId = "", password = ""] = line.split(",");
    return [chargePointId, password];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function ask(
  key: string,
  method: string,
  path: string,
  body?: unknown,
  signal: AbortSignal | null = null,
): Promise<Record<string, unknown>> {
  const response = await fetch(`${config.apiUrl}${path}`, {
    method,
    signal,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} was answered with ${response.status}: ${text}`);
  return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
}
