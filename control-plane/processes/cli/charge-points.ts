import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { stationOwner } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { ConfigReader } from "../../config-reader.ts";
import { newestAttempt } from "../../connection-attempts/connection-evidence.ts";
import { type Sql, sqlOn } from "../../database.ts";
import { pause } from "../../jobs/pause.ts";
import {
  chargePointDetail,
  type ChargePointRow,
  chargePointView,
  SELECT_CHARGE_POINTS,
} from "../../stations/charge-point-view.ts";
import { closeSocket } from "../../stations/close-socket.ts";
import { connectedNow } from "../../stations/presence.ts";
import { type CommandIo, defineCommand, ORG, PROJECT } from "./cli-command.ts";
import { CliMistake } from "./cli-mistake.ts";
import { findOrganization } from "./organizations.ts";
import { readShared, withServers } from "./with-servers.ts";

/** Charge points in a look at Postgres and Redis. */
const PAGE = 500;
const LOOK_MS = 250;
const CLOSE_LOOKS = 40;

interface ListFlags {
  org: string | undefined;
  project: string | undefined;
  online: boolean | undefined;
  offline: boolean | undefined;
  search: string | undefined;
}

/** Prints an organisation's charge points, newest first. */
async function list(flags: ListFlags, io: CommandIo): Promise<void> {
  if (flags.online === true && flags.offline === true) throw new CliMistake("want --online or --offline, not both");
  const wanted = flags.online === true ? true : flags.offline === true ? false : undefined;
  await withServers(readShared(io), async ({ pool, redis }) => {
    const sql = sqlOn(pool);
    const orgId = await findOrganization(sql, flags.org);
    for (let before: ChargePointRow | undefined; !io.signal.aborted;) {
      const page: ChargePointRow[] = await sql.query<ChargePointRow>(
        `${SELECT_CHARGE_POINTS}
         where s.org_id = $1 and s.retired_at is null and ($2::text is null or s.project_id = $2::text)
           and ($3::text is null or strpos(lower(concat_ws(' ', s.charge_point_id, s.identity, s.serial_number, s.vendor, s.model)), lower($3::text)) > 0)
           and ($4::timestamptz is null or (s.created_at, s.charge_point_id) < ($4::timestamptz, $5::text))
         order by s.created_at desc, s.charge_point_id desc limit ${PAGE}`,
        [
          orgId,
          flags.project ?? null,
          flags.search ?? null,
          before?.created_at_text ?? null,
          before?.charge_point_id ?? null,
        ],
      );
      const connected = await connectedNow(
        redis,
        page.map(({ identity }) => identity),
      );
      for (const row of page)
        if (wanted === undefined || connected?.has(row.identity) === wanted)
          io.print({ ...chargePointView(row, connected), identity: row.identity_spelling });
      if (page.length < PAGE) return;
      before = page.at(-1);
    }
  });
}

/** The one with this charge_point_id or identity, whoever's it is. */
export async function findChargePoint(sql: Sql, id: string): Promise<ChargePointRow> {
  const [row] = await sql.query<ChargePointRow>(
    `${SELECT_CHARGE_POINTS} where (s.charge_point_id = $1 or s.identity = lower($1)) and s.retired_at is null limit 1`,
    [id],
  );
  if (row === undefined)
    throw new CliMistake(
      `there is no charge point ${id}: \`charge-points list --search TEXT\` looks for one, \`connection-attempts unknown\` for what tries to connect`,
    );
  return row;
}

async function show({ id }: { id: string }, io: CommandIo): Promise<void> {
  const read = new ConfigReader(io.env, io.readFile);
  const publicOcppUrl = read.text("PUBLIC_OCPP_URL", "");
  await withServers(readShared(io), async ({ pool, redis }) => {
    const sql = sqlOn(pool);
    const row = await findChargePoint(sql, id);
    const connected = await connectedNow(redis, [row.identity]);
    const attempt = await newestAttempt(redis, row.identity as StationIdentity);
    const detail = await chargePointDetail(sql, row, connected, publicOcppUrl, attempt);
    const node = await redis.hget(stationOwner(row.identity as StationIdentity), "node");
    io.print({ ...detail, identity: row.identity_spelling, node_id: detail.online === true ? node : null });
  });
}

/** Closes a charge point's connection; it is let in again, and nearly all come back at once. */
async function disconnect({ id }: { id: string }, io: CommandIo): Promise<void> {
  await withServers(readShared(io), async ({ pool, redis }) => {
    const row = await findChargePoint(sqlOn(pool), id);
    const identity = row.identity as StationIdentity;
    const before = await ownerOf(redis, identity);
    if ((await connectedNow(redis, [identity]))?.has(identity) !== true) throw new CliMistake(`${id} is not connected`);
    const outcome = await closeSocket(redis, identity, "operator");
    // Somebody heard it: until the connection is gone, or another has taken its place.
    let gone = false;
    for (let looks = 0; outcome === "done" && !gone && looks < CLOSE_LOOKS && !io.signal.aborted; looks += 1) {
      gone = (await ownerOf(redis, identity)) !== before;
      if (!gone) await pause(LOOK_MS, io.signal);
    }
    io.print({ charge_point_id: row.charge_point_id, status: gone ? "disconnected" : "asked" });
    if (gone) return;
    io.note("its gateway has not closed it yet: `nodes list` shows whether it lives, then try again");
    io.fail();
  });
}

const ownerOf = async (redis: RedisConnection, identity: StationIdentity): Promise<string> =>
  (await redis.hmget(stationOwner(identity), "node", "epoch")).join(" ");

/** Charge points. */
export const chargePointCommands = [
  defineCommand({
    name: "charge-points list",
    summary: "Prints an organisation's charge points, newest first.",
    flags: {
      org: ORG,
      project: PROJECT,
      online: { help: "those that are connected now" },
      offline: { help: "those that are not" },
      search: { value: "TEXT", help: "part of the id, identity, serial number, vendor or model" },
    },
    examples: ["charge-points list", "charge-points list --offline --search acme -o json"],
    columns: ["charge_point_id", "identity", "vendor", "model", "ocpp_version", "status", "online", "last_seen_at"],
    reads: true,
    run: list,
  }),
  defineCommand({
    name: "charge-points show",
    summary: "Prints a charge point: its connection, its connectors, how its last attempt to connect ended.",
    flags: { id: { value: "ID", required: true, help: "its charge_point_id or its identity" } },
    examples: ["charge-points show --id DEPOT-A-001"],
    reads: true,
    run: show,
  }),
  defineCommand({
    name: "charge-points disconnect",
    summary: "Closes a charge point's connection.",
    more: "It is let in again. To keep it out, retire it: DELETE /api/v1/charge-points/{charge_point_id}.",
    flags: { id: { value: "ID", required: true, help: "its charge_point_id or its identity" } },
    examples: ["charge-points disconnect --id DEPOT-A-001"],
    run: disconnect,
  }),
];
