import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SESSION_TOKEN, sessionSteps, type SessionPort } from "./charging-session.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { IndependentStation } from "./independent-station.ts";
import { openEvidence, type Evidence } from "./ledger-check.ts";
import { rest } from "./rest-client.ts";
import { sessionRows } from "./session-rows.ts";
import { plainAnswer } from "./station-answers.ts";

const API = { "1.6": "ocpp16", "2.0.1": "ocpp201", "2.1": "ocpp21" } as const;
const REMOTE = /^(RemoteSt|RequestSt)/;

let cluster: Cluster;
let evidence: Evidence;
beforeAll(async () => {
  cluster = await startCluster();
  evidence = openEvidence(cluster);
  await evidence.sql("insert into id_tokens (org_id, token, status) select id, $1, 'Accepted' from organizations", [
    SESSION_TOKEN.toLowerCase(),
  ]);
});
afterAll(async () => {
  await evidence?.close();
  await cluster?.close();
});

/** Plays the session with one station; `moving`: on another node before each step. */
async function play(
  version: OcppVersion,
  credentials: { identity: string; password: string },
  startedAt: Date,
  moving: boolean,
): Promise<void> {
  const station = new IndependentStation({
    origins: cluster.ocppUrls,
    ...credentials,
    version,
    answer: (action) => (REMOTE.test(action) ? { status: "Accepted" } : plainAnswer(action)),
  });
  /** Resolves when the station has its connection back; undefined while it has one. */
  let back: PromiseWithResolvers<void> | undefined;
  let queue = Promise.resolve();
  const port: SessionPort = {
    call(action, payload) {
      const answered = queue.then(async () => {
        await back?.promise;
        return station.call(action, payload);
      });
      queue = answered.then(
        () => undefined,
        () => undefined,
      );
      return answered;
    },
    async command(command, payload) {
      const url = `${cluster.apiUrl}/api/v1/${API[version]}/send_command`;
      const order = { charge_point_id: credentials.identity, command, payload, timeout_seconds: 30 };
      const { status, body } = await rest("POST", url, cluster.apiKey, order);
      if (status !== 200 || body["status"] !== "accepted") throw new Error(`${command}: ${JSON.stringify(body)}`);
      const received = station.commands.filter(({ action }) => action === command);
      expect(received).toEqual([{ action: command, payload }]);
      return payload;
    },
    async offline() {
      await queue;
      back = Promise.withResolvers();
      await station.cut();
    },
    async online() {
      await station.comeBack(moving ? 1 - station.target : station.target);
      back?.resolve();
      back = undefined;
    },
  };
  await station.connect();
  for (const { what, run } of sessionSteps(version, startedAt)) {
    if (moving) await station.moveTo(1 - station.target);
    await run(port).catch((cause: unknown) => {
      throw new Error(`${version}, ${moving ? "moving" : "staying"}, ${what}: ${String(cause)}`, { cause });
    });
  }
  await station.cut();
  expect(station.complaints).toEqual([]);
}

/** The sessions as the API shows them, in the order of their beginning, without what belongs to the one station or moment. */
async function shownSessions(identity: string): Promise<Record<string, unknown>[]> {
  const url = `${cluster.apiUrl}/api/v1/sessions?charge_point_id=${identity}`;
  const { status, body } = await rest("GET", url, cluster.apiKey);
  if (status !== 200) throw new Error(`sessions: ${status} ${JSON.stringify(body)}`);
  const own = new Set(["session_id", "transaction_id", "charge_point_id", "start_received_at", "end_received_at"]);
  return (body["sessions"] as Record<string, unknown>[])
    .sort((a, b) => (String(a["started_at"]) < String(b["started_at"]) ? -1 : 1))
    .map((session) => Object.fromEntries(Object.entries(session).filter(([name]) => !own.has(name))));
}

test.each(["1.6", "2.0.1", "2.1"] as const)(
  "[1.6-historic] [1.4-identity] OCPP %s: a charging session with remote start, remote stop and an offline replay leaves the same rows whatever node it moves between",
  async (version) => {
    const [staying, moving] = await cluster.generateStations(2, version);
    if (staying === undefined || moving === undefined) throw new Error("no station was made");
    const startedAt = new Date(Date.now() - 3_600_000);
    await play(version, staying, startedAt, false);
    await play(version, moving, startedAt, true);
    await evidence.intakeIdle();
    const expected = await sessionRows(evidence, staying.identity);
    expect(expected["transactions"]).toHaveLength(4);
    expect(expected["transactions"]?.map(({ state }) => state)).toEqual(["ended", "ended", "ended", "ended"]);
    expect(expected["transactions"]?.map(({ meter_stop_wh }) => Number(meter_stop_wh))).toEqual([
      1250, 1500, 1750, 1800,
    ]);
    expect(expected["meterValues"]?.length).toBeGreaterThan(4);
    expect(await sessionRows(evidence, moving.identity)).toEqual(expected);
    const shown = await shownSessions(staying.identity);
    expect(shown.map(({ energy_kwh, status }) => [energy_kwh, status])).toEqual([
      [0.25, "completed"],
      [0.25, "completed"],
      [0.25, "completed"],
      [0.05, "completed"],
    ]);
    expect(await shownSessions(moving.identity)).toEqual(shown);
    const set =
      "select count(*)::int as n from quarantine q join stations s on s.id = q.station_id where s.charge_point_id = any($1)";
    expect(await evidence.sql(set, [[staying.identity, moving.identity]])).toEqual([{ n: 0 }]);
  },
);
