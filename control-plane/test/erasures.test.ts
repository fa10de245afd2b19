import { parseSecretsKey } from "@dynamo-csms/proto/sealed-secret";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sqlOn } from "../database.ts";
import { carryOutErasures, requestErasure } from "../personal-data/erasures.ts";
import { createIntakeWorld, type IntakeWorld } from "./intake-world.ts";
import { connectionOf } from "./lane-double.ts";
import { createProject, registerStation, type TestProject } from "./registered-station.ts";

const TOKEN = "Canary-Token+7";
const secretsKey = parseSecretsKey(Buffer.alloc(32, 7).toString("base64"));

let world: IntakeWorld;
let other: TestProject;
beforeAll(async () => {
  world = await createIntakeWorld(12);
  world.startIntake();
  other = await createProject(world.database.pool);
});
afterAll(() => world.close());

/** Where a text stands, in any case: every table of the database is looked through, whole rows. */
async function tablesWith(text: string): Promise<string[]> {
  const tables = await world.rows<{ name: string }>(
    `select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p') and not c.relispartition and n.nspname = 'public' order by 1`,
  );
  const found: string[] = [];
  for (const { name } of tables) {
    const rows = await world.rows(`select 1 from ${name} t where strpos(lower(t::text), lower($1)) > 0 limit 1`, [
      text,
    ]);
    if (rows.length > 0) found.push(name);
  }
  return found;
}

const carryOut = () =>
  carryOutErasures({
    pool: world.database.pool,
    redis: world.redis,
    pageSize: 2,
    eventPageSize: 3,
    secretsKey,
    log: pino({ level: "silent" }),
  });

const tokenReader = { component: { name: "TokenReader" }, variable: { name: "Token" } };

/** Everything that names a driver, of all versions, as stations send it. */
async function chargeWith(project: TestProject, token: string): Promise<void> {
  const lane = await world.openLane();
  const old = await registerStation(world.database.pool, project, "1.6");
  const cp = connectionOf(old, "1.6", 1_700_000_000_000);
  const at = "2026-05-01T10:00:00Z";
  const transactionId = 1_000 + Number(old.id);
  await lane.append(
    cp.call("Authorize", { idTag: token }, { answer: { idTagInfo: { status: "Accepted", parentIdTag: token } } }),
    cp.call(
      "StartTransaction",
      { connectorId: 1, idTag: token, meterStart: 0, timestamp: at },
      { answer: { transactionId, idTagInfo: { status: "Accepted" } } },
    ),
    cp.call(
      "StopTransaction",
      { transactionId, idTag: token.toUpperCase(), meterStop: 9, timestamp: at },
      { answer: {} },
    ),
    cp.call("StopTransaction", { transactionId: 99_999, idTag: token, meterStop: 9, timestamp: at }, { answer: {} }),
  );
  const station = await registerStation(world.database.pool, project, "2.0.1");
  const cs = connectionOf(station, "2.0.1", 1_700_000_000_000);
  const idToken = { idToken: token, type: "ISO14443" };
  const event = (eventType: string, seqNo: number) => ({
    eventType,
    timestamp: at,
    triggerReason: "Authorized",
    seqNo,
    transactionInfo: { transactionId: "tx-1" },
    idToken,
  });
  await lane.append(
    cs.call("Authorize", { idToken }, { answer: { idTokenInfo: { status: "Accepted", groupIdToken: idToken } } }),
    cs.call("TransactionEvent", event("Started", 0), { answer: { idTokenInfo: { status: "Accepted" } } }),
    cs.call("TransactionEvent", event("Ended", 1), { answer: {} }),
    cs.call("NotifyReport", {
      requestId: 1,
      seqNo: 0,
      generatedAt: at,
      reportData: [{ ...tokenReader, variableAttribute: [{ value: token }] }],
    }),
    cs.call("NotifyEvent", {
      seqNo: 0,
      generatedAt: at,
      eventData: [
        {
          ...tokenReader,
          eventId: 1,
          timestamp: at,
          trigger: "Delta",
          actualValue: token,
          eventNotificationType: "HardWiredNotification",
        },
      ],
    }),
    cs.call(
      "DataTransfer",
      { vendorId: "V", messageId: "card", data: { card: token } },
      { answer: { status: "Accepted", data: token } },
    ),
  );
  await world.applied(lane);
  // More than a page at one moment, and some of another organisation's among them.
  await world.rows(
    `insert into events (id, org_id, type, data, recorded_at)
     select $1::text || n, $2, 'session.authorized', json_build_object('id_token', $3::text), date_trunc('hour', now()) from generate_series(1, 8) n`,
    [`evt_${old.id}_`, project.orgId, token],
  );
  await world.rows(`insert into id_tokens (org_id, token, status) values ($1, lower($2), 'Accepted')`, [
    project.orgId,
    token,
  ]);
  await world.rows(
    `insert into commands (id, org_id, station_id, ocpp_version, action, payload, requested_by, deadline_at)
     values ($1, $2, $3, '1.6', 'RemoteStartTransaction', $4, 'key_1', now())`,
    [`cmd-${old.id}`, project.orgId, old.id, JSON.stringify({ idTag: token })],
  );
  await world.rows(
    `insert into dead_letters (lane_id, entry_id, frame_index, identity, frame, reason) values ($1, '1-0', 0, $2, $3, 'test')`,
    [`lane-${old.id}`, old.identity, JSON.stringify({ text: JSON.stringify([2, "1", "Authorize", { idTag: token }]) })],
  );
}

test("a token that is erased stands nowhere in the database any more, and another organisation keeps its own", async () => {
  await chargeWith(world.project, TOKEN);
  const before = await tablesWith(TOKEN);
  expect(before).toEqual(expect.arrayContaining(["commands", "message_log", "transaction_events", "transactions"]));
  const id = await requestErasure(sqlOn(world.database.pool), secretsKey, {
    orgId: world.project.orgId,
    kind: "id_token",
    subject: TOKEN,
    requestedBy: "key_1",
  });
  expect(await tablesWith(TOKEN)).toEqual(before);
  await carryOut();
  expect(await tablesWith(TOKEN)).toEqual([]);

  const [erasure] = await world.rows<{ pseudonym: string; counts: Record<string, number> }>(
    `select pseudonym, counts from erasures where id = $1 and finished_at is not null and sealed_subject is null`,
    [id],
  );
  expect(erasure?.counts).toMatchObject({ id_tokens: 1, transaction_events: 2 });
  const told = `select count(*)::int as n from events where org_id = $1 and data->>'id_token' = $2`;
  expect(await world.rows(told, [world.project.orgId, erasure?.pseudonym])).toEqual([{ n: erasure?.counts["events"] }]);
  expect(erasure?.counts["events"]).toBeGreaterThan(8);
  // The sessions are still there, and still one person's.
  const sessions = await world.rows(`select id_token from transactions where org_id = $1`, [world.project.orgId]);
  expect(sessions).toEqual([{ id_token: erasure?.pseudonym }, { id_token: erasure?.pseudonym }]);
  const [frame] = await world.rows<{ raw: string }>(
    `select raw from message_log where action = 'StartTransaction' and strpos(raw, $1) > 0`,
    [erasure?.pseudonym],
  );
  expect(JSON.parse(frame?.raw ?? "")[3].idTag).toBe(erasure?.pseudonym);

  await chargeWith(other, TOKEN);
  await requestErasure(sqlOn(world.database.pool), secretsKey, {
    orgId: world.project.orgId,
    kind: "id_token",
    subject: TOKEN,
    requestedBy: "key_1",
  });
  await carryOut();
  expect(await tablesWith(TOKEN)).toEqual(before);
});

test("a site owner's and a site contact's name and address go from projects, handovers, mails and events", async () => {
  const { projectId, orgId } = world.project;
  await world.rows(
    `update projects set site_owner_name = 'Sam Canary', site_owner_email = 'Sam@canary.example' where id = $1`,
    [projectId],
  );
  await world.rows(
    `insert into handovers (project_id, installer_id, signed_by, handover_notes, site_contact_name, site_contact_email, handed_over_at, warnings)
     values ($1, $2, 'Alex', '', 'Sam Canary', 'sam@Canary.example', now(), '{}')`,
    [projectId, world.project.installerId],
  );
  const about = JSON.stringify({ project_id: projectId, site_contact_name: "Sam Canary" });
  await world.rows(
    `insert into mails (id, dedupe_key, recipient, template, data) values
       ('mail_1', 'handover_completed:1:sam@canary.example', 'sam@canary.example', 'handover_completed', $1),
       ('mail_2', 'handover_completed:1:ops@org.example', 'ops@org.example', 'handover_completed', $1)`,
    [about],
  );
  await world.rows(`insert into events (id, org_id, type, data) values ('evt_1', $1, 'handover.completed', $2)`, [
    orgId,
    about,
  ]);
  await requestErasure(sqlOn(world.database.pool), secretsKey, {
    orgId,
    kind: "email",
    subject: "SAM@canary.example",
    requestedBy: "key_1",
  });
  await carryOut();
  expect(await tablesWith("canary.example")).toEqual([]);
  expect(await tablesWith("Sam Canary")).toEqual([]);
});
