import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { decodeNodeMessage } from "@dynamo-csms/proto/command-message";
import { nodeCommands, nodeLease, stationOwner } from "@dynamo-csms/proto/redis-keys";
import { Redis } from "ioredis";
import { COMMANDS } from "../processes/cli/commands.ts";
import { runCli } from "../processes/cli/run-cli.ts";
import { connectionOf } from "./lane-double.ts";
import type { OwnDatabase } from "./own-database.ts";
import { registerStation } from "./registered-station.ts";

/** A line of a shell with simple quotes, as words. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, plain]) => double ?? single ?? plain ?? "");

export const JWT_KEY = generateKeyPairSync("rsa", { modulusLength: 2048 })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString();

/** The variables of an administrator's shell. */
export const cliEnvironment = (databaseUrl: string, redisUrl: string) => ({
  DATABASE_URL: databaseUrl,
  REDIS_URL: redisUrl,
  SECRETS_KEY: Buffer.alloc(32, 7).toString("base64"),
  STATION_PEPPERS: `p1:${Buffer.alloc(32, 9).toString("base64")}`,
  PUBLIC_OCPP_URL: "wss://ocpp.example.com",
  JWT_SIGNING_KEY: JWT_KEY,
});

/** @returns what runs a line as it follows `npm run -s cli --`, in this process. */
export function commandLineOn(env: Record<string, string>) {
  return async (line: string, signal: AbortSignal = new AbortController().signal) => {
    const told = { stdout: "", stderr: "" };
    const into = (name: keyof typeof told) => ({ write: (text: string) => void (told[name] += text) });
    const status = await runCli(wordsOf(line), COMMANDS, {
      env,
      readFile: (path) => readFileSync(path, "utf8"),
      stdout: into("stdout"),
      stderr: into("stderr"),
      signal,
    });
    const answers = told.stdout
      .split("\n")
      .filter((text) => text.startsWith("{"))
      .map((text) => JSON.parse(text) as Record<string, unknown>);
    return { status, answers, ...told };
  };
}

/** Stands in for a gateway: closes and ends when it is told to. Holds the identities that it is given. */
export async function startNodeDouble(redisUrl: string, nodeId: string) {
  const [redis, subscriber] = [new Redis(redisUrl), new Redis(redisUrl)];
  const heard: string[] = [];
  const lease = JSON.stringify({ laneId: "gateway-1-mabc123-0a1b2c3d", startedAtMs: 1_700_000_000_000 });
  await redis.set(nodeLease(nodeId), lease, "PX", 600_000);
  subscriber.on("smessage", (_: string, text: string) => {
    const message = decodeNodeMessage(text);
    if (!message.ok) throw new Error(message.error);
    heard.push(message.value.kind === "close" ? `close ${message.value.reason}` : message.value.kind);
    if (message.value.kind === "close") void redis.hdel(stationOwner(message.value.identity), "node");
    if (message.value.kind === "drain") void redis.del(nodeLease(nodeId));
  });
  await subscriber.ssubscribe(nodeCommands(nodeId));
  return {
    heard,
    stop() {
      redis.disconnect();
      subscriber.disconnect();
    },
  };
}

const zeros = (prefix: string, last: number, length = 26) => `${prefix}_${String(last).padStart(length, "0")}`;

/** What the examples of docs/cli.md with ids are about, for the organisation. */
export async function makeExamples({ pool }: OwnDatabase, orgId: string): Promise<void> {
  const insert = (text: string, values: unknown[]) => pool.query(text, values);
  await insert(
    "insert into api_keys (id, org_id, name, key_hash, key_last4, scopes, created_at) values ($1, $2, 'old', 'x', 'last', '{}', now())",
    [zeros("key", 1), orgId],
  );
  await insert(
    "insert into projects (id, org_id, name, site_address, charge_points_expected) values ($1, $2, 'Site', 'Street 1', 1)",
    [zeros("proj", 1), orgId],
  );
  await insert(
    `insert into installers (id, email, email_key, password_hash, full_name, phone, company, status)
     values ('ins_1', 'J.Doe@installers.example', 'j.doe@installers.example', 'x', 'J', '+447700900123', 'Acme', 'active')`,
    [],
  );
  await insert(
    "insert into webhook_endpoints (id, org_id, url, events, sealed_secret) values ($1, $2, 'https://hooks.example.org/a', '{*}', 'x')",
    [zeros("whe", 1), orgId],
  );
  for (const n of [1, 2]) {
    await insert(
      "insert into events (id, org_id, type, data, fanned_out_at) values ($1, $2, 'charge_point.connected', '{}', now())",
      [`evt_${n}`, orgId],
    );
    await insert(
      `insert into webhook_deliveries (id, endpoint_id, event_id, status, attempts, last_error, next_attempt_at, created_at)
       values ($1, $2, $3, 'failed', 8, 'timeout', null, '2026-06-01')`,
      [zeros("whd", n), zeros("whe", 1), `evt_${n}`],
    );
  }
  const project = { orgId, projectId: zeros("proj", 1), installerId: "ins_1" };
  const station = await registerStation(pool, project, "1.6");
  const heartbeat = connectionOf(station, "1.6", 1_700_000_000_000).call("Heartbeat", {});
  for (const [n, frame] of [
    [1, heartbeat],
    [2, { entry_base64: "AAAA" }],
  ] as const)
    await insert(
      `insert into dead_letters (public_id, lane_id, entry_id, frame_index, identity, frame, reason) values ($1, 'lane', $2, 0, $3, $4, 'test')`,
      [zeros("dl", n, 32), `${n}-0`, "kind" in frame ? station.identity : "", JSON.stringify(frame)],
    );
  await insert(
    `insert into lane_gaps (lane_id, from_entry, to_entry) values ('gateway-1-mabc123-0a1b2c3d', '7-0', '9-0')`,
    [],
  );
}
