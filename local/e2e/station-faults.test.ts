import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { openEvidence, type Evidence } from "./ledger-check.ts";
import { askRaw, connectRaw } from "./raw-station.ts";

// What stations do wrong, or twice, with the whole product behind the socket: judged by the rows that are left.

type Credentials = { identity: string; password: string };

const TOKEN = "FAULT-CARD";
const BOOT = {
  "1.6": { chargePointVendor: "V", chargePointModel: "M" },
  "2.0.1": { reason: "PowerUp", chargingStation: { vendorName: "V", model: "M" } },
  "2.1": { reason: "PowerUp", chargingStation: { vendorName: "V", model: "M" } },
};

let cluster: Cluster;
let evidence: Evidence;
beforeAll(async () => {
  cluster = await startCluster();
  evidence = openEvidence(cluster);
  await evidence.sql("insert into id_tokens (org_id, token, status) select id, $1, 'Accepted' from organizations", [
    TOKEN.toLowerCase(),
  ]);
});
afterAll(async () => {
  await evidence?.close();
  await cluster?.close();
});

async function oneStation(version: OcppVersion): Promise<Credentials> {
  const [station] = await cluster.generateStations(1, version);
  return station as Credentials;
}

/** As an operator's hand in the database: the registry in Redis follows. */
async function register(identity: string, registration: string): Promise<void> {
  await evidence.sql(
    "update stations set registration = $2, registry_rev = registry_rev + 1 where charge_point_id = $1",
    [identity, registration],
  );
  await evidence.sql(
    "insert into registry_outbox (station_id) select id from stations where charge_point_id = $1 on conflict (station_id) do update set requested_at = now()",
    [identity],
  );
  await eventually("the registry is written", async () => {
    const rows = await evidence.sql(
      "select 1 from registry_outbox o join stations s on s.id = o.station_id where s.charge_point_id = $1",
      [identity],
    );
    return rows.length === 0;
  });
}

const transactionsOf = (identity: string) =>
  evidence.sql<Record<string, unknown>>(
    `select t.transaction_id, t.state, t.meter_stop_wh::float8 as meter_stop_wh, t.start_answer
     from transactions t join stations s on s.id = t.station_id where s.charge_point_id = $1 order by t.id`,
    [identity],
  );
const setAside = (identity: string) =>
  evidence.sql<{ action: string; reason: string }>(
    "select q.action, q.reason from quarantine q join stations s on s.id = q.station_id where s.charge_point_id = $1 order by q.epoch, q.seq",
    [identity],
  );

test.each(["1.6", "2.0.1", "2.1"] as const)(
  "[C9] [1.4-early-calls] [1.4-identity] OCPP %s: nothing but a boot from whom nobody accepted; after it everything, on any node, without another boot",
  async (version) => {
    const credentials = await oneStation(version);
    for (const registration of ["unknown", "pending", "rejected"]) {
      await register(credentials.identity, registration);
      const early = await connectRaw(cluster.ocppUrls[0], credentials, version);
      const beat = await askRaw(early, '[2,"early","Heartbeat",{}]');
      expect([registration, ...beat.slice(0, 3)]).toEqual([registration, 4, "early", "SecurityError"]);
      expect(early.socket.readyState).toBe(early.socket.OPEN);
      early.socket.terminate();
    }
    await register(credentials.identity, "unknown");
    const first = await connectRaw(cluster.ocppUrls[0], credentials, version);
    first.socket.send(JSON.stringify([2, "boot", "BootNotification", BOOT[version]]));
    await eventually("the boot is answered", () => first.frames.some((text) => text.startsWith('[3,"boot"')));
    expect(first.frames.find((text) => text.startsWith('[3,"boot"'))).toContain('"status":"Accepted"');
    first.socket.terminate();
    for (const node of [1, 0, 1] as const) {
      const again = await connectRaw(cluster.ocppUrls[node], credentials, version);
      expect(await again.heartbeat()).toContain("currentTime");
      again.socket.terminate();
    }
  },
);

test("[C13] [1.6-start] [F6] a StartTransaction that comes again, with its id, with a new one, and on another node, is one transaction with one answer", async () => {
  const credentials = await oneStation("1.6");
  const start = { connectorId: 1, idTag: TOKEN, meterStart: 100, timestamp: "2026-03-01T10:00:00Z" };
  const frame = (id: string) => JSON.stringify([2, id, "StartTransaction", start]);
  const here = await connectRaw(cluster.ocppUrls[0], credentials, "1.6");
  const answers = [await askRaw(here, frame("a")), await askRaw(here, frame("a")), await askRaw(here, frame("b"))];
  here.socket.terminate();
  const there = await connectRaw(cluster.ocppUrls[1], credentials, "1.6");
  answers.push(await askRaw(there, frame("c")), await askRaw(there, frame("a")));
  there.socket.terminate();
  expect(answers.map((answer) => answer.slice(0, 2))).toEqual(["a", "a", "b", "c", "a"].map((id) => [3, id]));
  const payloads = answers.map((answer) => answer[2] as { transactionId: number; idTagInfo: { status: string } });
  expect(payloads.map(({ idTagInfo }) => idTagInfo.status)).toEqual(payloads.map(() => "Accepted"));
  for (const payload of payloads) expect(payload).toEqual(payloads[0]);
  await evidence.intakeIdle();
  expect(await transactionsOf(credentials.identity)).toMatchObject([
    { transaction_id: String(payloads[0]?.transactionId) },
  ]);
});

test("[C14] [1.6-stop] [1.6-unknown] [1.6-owner] stops twice, of nothing, and of another station's transaction are answered; the first counts, the rest is set aside", async () => {
  const [owner, thief] = await cluster.generateStations(2, "1.6");
  const own = await connectRaw(cluster.ocppUrls[0], owner as Credentials, "1.6");
  const start = (meterStart: number) => ({
    connectorId: 1,
    idTag: TOKEN,
    meterStart,
    timestamp: "2026-03-01T10:00:00Z",
  });
  const started = await askRaw(own, JSON.stringify([2, "start", "StartTransaction", start(100)]));
  const { transactionId } = started[2] as { transactionId: number };

  const other = await connectRaw(cluster.ocppUrls[1], thief as Credentials, "1.6");
  const stop = (id: number, meterStop: number) => ({ transactionId: id, meterStop, timestamp: "2026-03-01T11:00:00Z" });
  const stolen = await askRaw(other, JSON.stringify([2, "steal", "StopTransaction", stop(transactionId, 1)]));
  expect(stolen.slice(0, 2)).toEqual([3, "steal"]);
  await evidence.intakeIdle();
  expect(await transactionsOf((owner as Credentials).identity)).toMatchObject([
    { state: "active", meter_stop_wh: null },
  ]);

  const stops: [string, number, number][] = [
    ["first", transactionId, 900],
    ["again", transactionId, 900],
    ["differs", transactionId, 901],
    ["unknown", 2_000_000_000, 1],
    ["none", -1, 1],
    ["zero", 0, 1],
  ];
  for (const [id, ...what] of stops) {
    const answer = await askRaw(own, JSON.stringify([2, id, "StopTransaction", stop(...what)]));
    expect(answer.slice(0, 2)).toEqual([3, id]);
  }
  for (const station of [own, other]) station.socket.terminate();
  await evidence.intakeIdle();
  expect(await transactionsOf((owner as Credentials).identity)).toMatchObject([{ state: "ended", meter_stop_wh: 900 }]);
  expect((await setAside((owner as Credentials).identity)).map(({ reason }) => reason)).toEqual([
    "already stopped otherwise",
    "unknown transaction",
    "unknown transaction",
    "unknown transaction",
  ]);
  expect(await setAside((thief as Credentials).identity)).toEqual([
    { action: "StopTransaction", reason: "unknown transaction" },
  ]);
});

/** The frame of a station as it stands in the message log. */
async function storedFrame(
  identity: string,
  messageId: string,
): Promise<{ raw: string; flagged: boolean } | undefined> {
  const [row] = await evidence.sql<{ raw: string; flagged: boolean }>(
    `select l.raw, l.flagged from message_log l join stations s on s.id = l.station_id
     where s.charge_point_id = $1 and l.message_id = $2 and l.direction = 0`,
    [identity, messageId],
  );
  return row;
}

test("[C22] [1.6-clock] times without a zone, with one, with nine decimals, of 1970, of 2099 and of a leap day: read or flagged, and kept as they were written", async () => {
  const credentials = await oneStation("1.6");
  const station = await connectRaw(cluster.ocppUrls[0], credentials, "1.6");
  const times: [text: string, flagged: boolean, readAs: string | undefined][] = [
    ["2026-03-01T10:00:00", true, undefined],
    ["2026-03-01T10:00:00+05:30", false, "2026-03-01T04:30:00.000Z"],
    ["2026-03-01T10:00:00.123456789Z", false, "2026-03-01T10:00:00.123Z"],
    ["1970-01-01T00:00:00Z", false, "1970-01-01T00:00:00.000Z"],
    ["2099-12-31T23:59:59Z", false, "2099-12-31T23:59:59.000Z"],
    ["2028-02-29T12:00:00Z", false, "2028-02-29T12:00:00.000Z"],
    ["2027-02-29T12:00:00Z", true, undefined],
  ];
  for (const [index, [text]] of times.entries()) {
    const values = { connectorId: 1, meterValue: [{ timestamp: text, sampledValue: [{ value: String(index) }] }] };
    const answer = await askRaw(station, JSON.stringify([2, `time-${index}`, "MeterValues", values]));
    expect([text, answer[0]]).toEqual([text, 3]);
  }
  station.socket.terminate();
  await evidence.intakeIdle();
  for (const [index, [text, flagged]] of times.entries()) {
    const stored = await storedFrame(credentials.identity, `time-${index}`);
    expect([text, stored?.flagged, stored?.raw.includes(`"${text}"`)]).toEqual([text, flagged, true]);
  }
  const rows = await evidence.sql<{ value: number; sampled_at: Date }>(
    "select m.vals[1]::float8 as value, m.sampled_at from meter_values m join stations s on s.id = m.station_id where s.charge_point_id = $1",
    [credentials.identity],
  );
  const sampledAt = new Map(rows.map(({ value, sampled_at }) => [value, sampled_at.toISOString()]));
  for (const [index, [text, , readAs]] of times.entries())
    if (readAs !== undefined) expect([text, sampledAt.get(index)]).toEqual([text, readAs]);
});

test("[C23] numbers past 2^53, negative, with a comma and with an exponent are kept to the last digit beside what they mean", async () => {
  const credentials = await oneStation("1.6");
  const station = await connectRaw(cluster.ocppUrls[0], credentials, "1.6");
  const texts = ["9007199254740993", "-12.50", "12,5", "1.5e3", "0.1000000000000000000001"];
  for (const [index, value] of texts.entries()) {
    const sample = { value, measurand: "Energy.Active.Import.Register", unit: "Wh" };
    const timestamp = `2026-03-01T10:0${index}:00Z`;
    const payload = { connectorId: 2, meterValue: [{ timestamp, sampledValue: [sample] }] };
    expect((await askRaw(station, JSON.stringify([2, `n-${index}`, "MeterValues", payload])))[0]).toBe(3);
  }
  // A number literal, which JSON.parse would round.
  const start = `[2,"big","StartTransaction",{"connectorId":1,"idTag":"${TOKEN}","meterStart":9007199254740993,"timestamp":"2026-03-01T10:00:00Z"}]`;
  expect((await askRaw(station, start))[0]).toBe(3);
  station.socket.terminate();
  await evidence.intakeIdle();
  const rows = await evidence.sql<{ value: string | null; raw: string[] | null; at: Date }>(
    "select m.vals[1]::text as value, m.raw, m.sampled_at as at from meter_values m join stations s on s.id = m.station_id where s.charge_point_id = $1 order by m.sampled_at",
    [credentials.identity],
  );
  // The text is beside the number wherever it does not follow from it.
  const kept = rows.map(({ value, raw }) => raw?.[0] ?? value);
  expect(kept).toEqual(texts);
  const [transaction] = await evidence.sql<{ raw: string; wh: string }>(
    "select t.meter_start_raw as raw, t.meter_start_wh::text as wh from transactions t join stations s on s.id = t.station_id where s.charge_point_id = $1",
    [credentials.identity],
  );
  expect(transaction).toEqual({ raw: "9007199254740993", wh: "9007199254740993" });
});

test("[C19] [C20] names of prototypes, NUL, halves of characters and a wandering mark: stored as far as they can be, nothing polluted, nothing stuck", async () => {
  const credentials = await oneStation("2.0.1");
  const station = await connectRaw(cluster.ocppUrls[0], credentials, "2.0.1");
  const data = String.raw`{"vendorId":"v","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":1,"text":"a\u0000b\ud800c\ufeff"}`;
  const frames: [string, string][] = [
    ["data", `[2,"data","DataTransfer",{"vendorId":"constructor","data":${data}}]`],
    [
      "report",
      `[2,"report","NotifyReport",{"requestId":1,"generatedAt":"2026-03-01T10:00:00Z","seqNo":0,"reportData":[{"component":{"name":"__proto__"},"variable":{"name":"constructor"},"variableAttribute":[{"value":"a\\u0000b"}]}],"customData":${data}}]`,
    ],
    [
      "event",
      `[2,"event","TransactionEvent",{"eventType":"Updated","timestamp":"2026-03-01T10:00:00Z","triggerReason":"MeterValuePeriodic","seqNo":0,"transactionInfo":{"transactionId":"__proto__"},"customData":${data}}]`,
    ],
  ];
  for (const [id, frame] of frames) expect([id, (await askRaw(station, frame))[0]]).toEqual([id, 3]);
  for (const action of ["__proto__", "constructor", "toString", "hasOwnProperty"])
    expect((await askRaw(station, JSON.stringify([2, "action", action, {}])))[2]).toBe("NotImplemented");
  expect(await station.heartbeat()).toContain("currentTime");
  station.socket.terminate();
  await evidence.intakeIdle();
  for (const [id] of frames) {
    const stored = await storedFrame(credentials.identity, id);
    expect([id, stored?.raw.includes("__proto__"), stored?.raw.includes("polluted")]).toEqual([id, true, true]);
  }
  expect(await evidence.sql("select count(*)::int as n from dead_letters")).toEqual([{ n: 0 }]);
  expect(await transactionsOf(credentials.identity)).toMatchObject([{ transaction_id: "__proto__" }]);
  for (const program of ["gateway1", "intake", "decisions", "api"] as const)
    expect(cluster.log(program).split('"msg":"ready"')).toHaveLength(2);
});
