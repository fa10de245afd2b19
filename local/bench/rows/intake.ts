import { randomBytes } from "node:crypto";
import { medianRatio } from "../arithmetic.ts";
import type { Bench, BenchContext, BenchRow } from "../contract.ts";
import { cpuMsOf, cpuMsOfTree } from "../intake/cpu-of.ts";
import { SpeakingFleet } from "../intake/fill-lane.ts";
import { registerFleet } from "../intake/fleet.ts";
import { type CopyReference, type IntakeScene, setIntakeScene } from "../intake/scene.ts";

const STATIONS = 1_000;
/** As a gateway packs them that is at work to capacity. */
const FRAMES_PER_ENTRY = 48;
/** Of both: the intake's batches are bounded by frames, seven tenths of which make rows, and half a reading each. */
const ROWS_PER_TRANSACTION = 1_200;

const TABLES = [
  {
    table: "message_log",
    columns: "station_id epoch received_at seq direction flagged action message_id raw answer latency_ms node_id".split(
      " ",
    ),
  },
  {
    table: "meter_values",
    columns: "station_id transaction_id sampled_at shape connector vals raw received_at".split(" "),
  },
];

interface Measured {
  rows: number;
  clientUs: number;
  postgresUs: number;
  seconds: number;
}

/** One intake process empties a full lane, against COPY of the rows that it wrote. */
export const intake: Bench = {
  id: "intake",
  title: "Intake: lane to Postgres with all effects",
  async run(context) {
    const scene = await setIntakeScene(context.folder);
    try {
      return await measure(scene, context);
    } finally {
      await scene.close();
    }
  },
};

async function measure(scene: IntakeScene, context: BenchContext): Promise<BenchRow[]> {
  const frames = context.short ? 20_000 : 40_000;
  const fleet = new SpeakingFleet(await registerFleet(scene.pool, STATIONS, "1.6"));
  for (const suffix of ["keyed", "bare"])
    for (const { table } of TABLES)
      await scene.pool.query(
        `create table ${table}_${suffix} (like ${table} including defaults ${suffix === "keyed" ? "including indexes" : ""})`,
      );
  for (const { table } of TABLES) await scene.pool.query(`create table ${table}_drained as table ${table}`);
  // Nothing is read again after a loss here: what is committed may go from Redis.
  const process_ = await scene.startIntake({ REPLAY_WINDOW: "0s" });
  const reference = await scene.startReference();
  const [ours, keyed, bare]: Measured[][] = [[], [], []];
  // The first two are what code is compiled by, and count for nobody.
  for (let n = -2; n < context.repetitions; n += 1) {
    const drained = await drain(scene, fleet, process_.pid, frames);
    const toKeyed = await copyTo(scene, reference, "keyed");
    const toBare = await copyTo(scene, reference, "bare");
    context.report(`${describe("intake", drained)}; ${describe("COPY", toBare)}; ${describe("COPY, keyed", toKeyed)}`);
    await scene.pool.query(
      "truncate message_log, meter_values, events, message_log_keyed, meter_values_keyed, message_log_bare, meter_values_bare, message_log_drained, meter_values_drained cascade",
    );
    await scene.pool.query("checkpoint");
    if (n < 0) continue;
    ours?.push(drained);
    keyed?.push(toKeyed);
    bare?.push(toBare);
  }
  const [o, k, b] = [ours, keyed, bare].map((all) => medianOf(all as Measured[])) as [Measured, Measured, Measured];
  const per = (all: Measured[] = []) => all.map((m) => (m.clientUs + m.postgresUs) / m.rows);
  return [
    {
      what: "lane → Postgres with all effects, CPU per row, against COPY of the same rows into tables without any index",
      figure: medianRatio(per(ours), per(bare)),
      unit: "×",
      target: { atMost: 2 },
      fails: { above: 10 },
      behind: `${describe("intake", o)}; ${describe("COPY", b)}; ${describe("COPY into tables with the same primary keys", k)} (${medianRatio(per(ours), per(keyed)).toFixed(2)} ×); ${Math.round(frames / o.seconds)} frames a second`,
    },
  ];
}

async function drain(scene: IntakeScene, fleet: SpeakingFleet, pid: number, frames: number): Promise<Measured> {
  const laneId = `lane-${randomBytes(4).toString("hex")}`;
  const before = await rowsOf(scene);
  const last = await fleet.fillLane(scene.redis, laneId, { frames, framesPerEntry: FRAMES_PER_ENTRY });
  const [client, server, began] = [cpuMsOf(pid), cpuMsOfTree(scene.postgres.pid()), performance.now()];
  await scene.drained(laneId, last);
  const seconds = (performance.now() - began) / 1_000;
  const used = {
    clientUs: (cpuMsOf(pid) - client) * 1_000,
    postgresUs: (cpuMsOfTree(scene.postgres.pid()) - server) * 1_000,
  };
  const rows = (await rowsOf(scene)) - before;
  return { rows, seconds, ...used };
}

async function rowsOf(scene: IntakeScene): Promise<number> {
  const { rows } = await scene.pool.query<{ n: string }>(
    `select ${TABLES.map(({ table }) => `(select count(*) from ${table})`).join(" + ")} as n`,
  );
  return Number(rows[0]?.n);
}

async function copyTo(scene: IntakeScene, reference: CopyReference, suffix: "keyed" | "bare"): Promise<Measured> {
  for (const { table } of TABLES)
    await scene.pool.query(
      `insert into ${table}_drained select * from ${table} where not exists (select from ${table}_drained)`,
    );
  await reference.load({
    tables: TABLES.map(({ table, columns }) => ({ from: `${table}_drained`, to: `${table}_${suffix}`, columns })),
    rowsPerTransaction: ROWS_PER_TRANSACTION,
  });
  const [client, server, began] = [cpuMsOf(reference.pid), cpuMsOfTree(scene.postgres.pid()), performance.now()];
  const rows = await reference.copy();
  const seconds = (performance.now() - began) / 1_000;
  const used = {
    clientUs: (cpuMsOf(reference.pid) - client) * 1_000,
    postgresUs: (cpuMsOfTree(scene.postgres.pid()) - server) * 1_000,
  };
  return { rows, seconds, ...used };
}

function medianOf(all: Measured[]): Measured {
  const cost = (m: Measured) => (m.clientUs + m.postgresUs) / m.rows;
  return all.toSorted((a, b) => cost(a) - cost(b))[Math.floor(all.length / 2)] as Measured;
}

const describe = (name: string, m: Measured): string =>
  `${name} ${(m.clientUs / m.rows).toFixed(1)} + ${(m.postgresUs / m.rows).toFixed(1)} µs a row`;
