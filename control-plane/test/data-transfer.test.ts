import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { validatePayload } from "@dynamo-csms/ocpp-schemas/validators";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { decideDataTransfer } from "../data-transfer/decide-data-transfer.ts";
import { readDataTransferSettings } from "../data-transfer/hook-settings.ts";
import { type DataTransferHooks, openDataTransferHooks } from "../data-transfer/open-hooks.ts";
import { ConfigReader } from "../config-reader.ts";
import { readConfig } from "../processes/decisions/config.ts";
import { recordAnswer } from "./answered-command.ts";
import { createIntakeWorld, type IntakeWorld } from "./intake-world.ts";
import { connectionOf } from "./lane-double.ts";
import { registerStation, type TestStation } from "./registered-station.ts";

let world: IntakeWorld;
let hooks: DataTransferHooks;
const folder = mkdtempSync(join(tmpdir(), "hooks-"));
const EPOCH = 1_700_000_000_000;
const lines: object[] = [];
const log = pino({ level: "warn" }, { write: (line: string) => void lines.push(JSON.parse(line) as object) });

const EXAMPLE = "docs/examples/cable-temperature-hook.mjs";
function hookFile(name: string, source: string): string {
  const path = join(folder, name);
  writeFileSync(path, source);
  return path;
}
const hook = (vendorId: string, body: string) => `export default { vendorId: "${vendorId}", ${body} };`;

/** As the process reads them. */
function settingsOf(paths: readonly string[], more: Record<string, string> = {}) {
  const env = {
    DATA_TRANSFER_HOOKS: paths.join(", "),
    DATA_TRANSFER_HOOK_TIMEOUT_MS: "300",
    SECRETS_KEY: "a secret of the process",
    ...more,
  };
  const read = new ConfigReader(env, () => "");
  const settings = readDataTransferSettings(read, env);
  expect(read.mistakes).toEqual([]);
  return settings;
}

beforeAll(async () => {
  world = await createIntakeWorld(14);
  world.startIntake();
  const opened = await openDataTransferHooks(
    settingsOf(
      [
        EXAMPLE,
        hookFile(
          "loops.mjs",
          hook(
            "loops",
            'messageIds: ["hang", "ok"], handle({ messageId }) { while (messageId === "hang"); return { status: "Accepted" }; }',
          ),
        ),
        hookFile("never.mjs", hook("never", "handle: () => new Promise(() => {})")),
        hookFile("throws.mjs", hook("throws", 'handle() { throw new Error("broken"); }')),
        hookFile("ends.mjs", hook("ends", "handle() { process.exit(3); }")),
        hookFile("nonsense.mjs", hook("nonsense", 'handle: () => ({ status: "Fine", data: 1 })')),
        hookFile("nothing.mjs", hook("nothing", "handle() {}")),
        hookFile(
          "environment.mjs",
          hook("environment", 'handle: () => ({ status: "Accepted", data: JSON.stringify(process.env) })'),
        ),
      ],
      { DATA_TRANSFER_HOOK_OWN: "mine" },
    ),
  );
  if (!opened.ok) throw new Error(opened.error.join());
  hooks = opened.value;
});
afterAll(async () => {
  await hooks.stop();
  rmSync(folder, { recursive: true });
  await world.close();
});

let seq = 0;
async function ask(station: TestStation, version: OcppVersion, payload: object, at = ++seq): Promise<object> {
  expect(validatePayload(version, "DataTransfer", "request", payload)).toBeUndefined();
  const decision = await decideDataTransfer(
    {
      identity: station.identity,
      station: { ...station, orgId: world.project.orgId, projectId: null },
      version,
      epoch: EPOCH,
      seq: at,
      receivedAt: new Date(EPOCH + at),
      action: "DataTransfer",
      payloadText: JSON.stringify(payload),
    },
    { pool: world.database.pool, dataTransferHooks: hooks, log } as never,
  );
  if (decision.kind !== "answer") throw new Error("refused");
  expect(validatePayload(version, "DataTransfer", "response", decision.payload)).toBeUndefined();
  return decision.payload;
}
const newStation = (version: OcppVersion) => registerStation(world.database.pool, world.project, version);
const transfersOf = (station: TestStation) =>
  world.rows(
    "select direction, vendor_id, message_id, data, status, response_data from data_transfers where station_id = $1 order by epoch, seq",
    [station.id],
  );

test("a vendor's hook answers, per version; unknown vendors and messages are told so; all of it is stored", async () => {
  const [old, station] = [await newStation("1.6"), await newStation("2.0.1")];
  const about = { vendorId: "COM.example.Charger", messageId: "CableTemperature" };
  expect(await ask(old, "1.6", { ...about, data: '{"celsius":31}' })).toEqual({
    status: "Accepted",
    data: '{"goOn":true}',
  });
  expect(await ask(station, "2.0.1", { ...about, data: { celsius: 95, note: "a\u0000b" } })).toEqual({
    status: "Accepted",
    data: { goOn: false },
  });
  expect(await ask(station, "2.0.1", { vendorId: "com.example.charger", messageId: "other" })).toEqual({
    status: "UnknownMessageId",
  });
  expect(await ask(station, "2.0.1", { vendorId: "com.example.charger" })).toEqual({ status: "UnknownMessageId" });
  expect(await ask(station, "2.0.1", { vendorId: "nobody" })).toEqual({ status: "UnknownVendorId" });
  expect(await transfersOf(station)).toMatchObject([
    {
      direction: "from_charge_point",
      vendor_id: "COM.example.Charger",
      message_id: "CableTemperature",
      data: { celsius: 95, note: "a\u0000b" },
      status: "Accepted",
      response_data: { goOn: false },
    },
    { status: "UnknownMessageId", response_data: null },
    { status: "UnknownMessageId", message_id: null },
    { status: "UnknownVendorId" },
  ]);
});

test("a hook that hangs, throws, ends its thread or answers nonsense costs its own message, and no more", async () => {
  const station = await newStation("2.0.1");
  lines.length = 0;
  for (const vendorId of ["never", "throws", "ends", "nonsense", "nothing"])
    expect(await ask(station, "2.0.1", { vendorId })).toEqual({ status: "Rejected" });
  expect(lines).toMatchObject([
    { msg: "DataTransfer hook failed", vendorId: "never", reason: "no answer within 300 ms" },
    { vendorId: "throws", reason: "broken" },
    { vendorId: "ends", reason: "its thread ended with 3" },
    { vendorId: "nonsense" },
    { vendorId: "nothing", reason: "its answer is not an object" },
  ]);
  // A loop that yields to nothing: its thread is replaced, and others are answered meanwhile.
  const [hung, other] = await Promise.all([
    ask(station, "2.0.1", { vendorId: "loops", messageId: "hang" }),
    ask(station, "2.0.1", { vendorId: "com.example.charger", messageId: "cableTemperature", data: { celsius: 1 } }),
  ]);
  expect(hung).toEqual({ status: "Rejected" });
  expect(other).toEqual({ status: "Accepted", data: { goOn: true } });
  expect(await ask(station, "2.0.1", { vendorId: "loops", messageId: "ok" })).toEqual({ status: "Accepted" });
});

test("a hook that only fails is left alone for a while", async () => {
  const station = await newStation("2.0.1");
  lines.length = 0;
  for (let n = 0; n < 8; n += 1) await ask(station, "2.0.1", { vendorId: "throws" });
  expect((lines as { reason: string }[]).at(-1)?.reason).toBe("left alone after many faults");
});

test("a hook sees its own variables and none of the process's secrets", async () => {
  const answer = (await ask(await newStation("1.6"), "1.6", { vendorId: "environment" })) as { data: string };
  expect(JSON.parse(answer.data)).toEqual({ DATA_TRANSFER_HOOK_OWN: "mine" });
});

test("the same question gets the answer on record, and the lane puts back what Postgres lost", async () => {
  const station = await newStation("2.0.1");
  const payload = { vendorId: "com.example.charger", messageId: "cableTemperature", data: { celsius: 31 } };
  const first = await ask(station, "2.0.1", payload, 77);
  await world.rows("update data_transfers set response_data = '\"on record\"' where station_id = $1", [station.id]);
  expect(await ask(station, "2.0.1", payload, 77)).toEqual({ ...first, data: "on record" });
  await world.rows("delete from data_transfers where station_id = $1", [station.id]);

  const lane = await world.openLane();
  const cp = connectionOf(station, "2.0.1", EPOCH);
  await lane.append(cp.call("DataTransfer", payload, { answer: first }));
  await world.applied(lane);
  expect(await transfersOf(station)).toMatchObject([
    { data: { celsius: 31 }, status: "Accepted", response_data: { goOn: true } },
  ]);
});

test("a DataTransfer of ours is stored with the station's answer", async () => {
  const station = await newStation("1.6");
  await recordAnswer(world.database.pool, world.project.orgId, EPOCH, [
    station,
    "1.6",
    "DataTransfer",
    { vendorId: "v", data: "x" },
    { status: "UnknownMessageId" },
    { seq: 3, state: "rejected" },
  ]);
  expect(await transfersOf(station)).toEqual([
    {
      direction: "to_charge_point",
      vendor_id: "v",
      message_id: null,
      data: "x",
      status: "UnknownMessageId",
      response_data: null,
    },
  ]);
});

test("all that is wrong with the hooks is listed at the start", async () => {
  const opened = await openDataTransferHooks(
    settingsOf([
      "/nowhere/hook.mjs",
      hookFile("empty.mjs", ""),
      hookFile("no-vendor.mjs", "export default { handle() {} };"),
      hookFile("no-handle.mjs", hook("x", "")),
      hookFile("breaks.mjs", 'throw new Error("cannot start");'),
      hookFile("one.mjs", hook("Twice", "handle() {}")),
      hookFile("two.mjs", hook("twice", "handle() {}")),
    ]),
  );
  expect(opened.ok).toBe(false);
  const mistakes = opened.ok ? [] : opened.error;
  expect(mistakes).toHaveLength(6);
  expect(mistakes[0]).toContain("/nowhere/hook.mjs");
  expect(mistakes.slice(1).map((mistake) => mistake.replace(/^.*\.mjs: /, ""))).toEqual([
    "it has no default export that is an object",
    "its vendorId is not a text",
    "its handle is not a function",
    "cannot start",
    "another module is for twice already",
  ]);
});

test("a time limit beyond the gateways' patience is a mistake of the configuration", () => {
  expect(() => readConfig({ DATA_TRANSFER_HOOK_TIMEOUT_MS: "10s" }, () => "")).toThrow(
    "DATA_TRANSFER_HOOK_TIMEOUT_MS=10s",
  );
});
