import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { Owner } from "../commands/resolve-owner.ts";
import type { Sql } from "../database.ts";
import { parseExactJson } from "../transactions/exact-json.ts";
import {
  energyRegisterWh,
  type MeterReading,
  readMeterValues,
  type ShapeMember,
} from "../transactions/meter-reading.ts";
import { isObject } from "../transactions/read-fields.ts";
import type { EnergyReading, StationFacts } from "./check-scene.ts";

/** The gateway's clock dates the messages, this process' the checks: how far they may be apart. */
const CLOCK_TOLERANCE_MS = 2_000;
const MAX_MESSAGES = 50;
/** Older readings are of no use for telling whether a register runs backwards, and cost a long search. */
const EARLIER_DAYS = 40;
const MAX_EARLIER = 20;

interface StationRow {
  version: OcppVersion;
  epoch: string | null;
  opened_at: Date | null;
  closed_at: Date | null;
  close_code: number | null;
  last_heartbeat_at: Date | null;
  firmware_version: string | null;
  booted_at: Date | null;
}

/**
 * What Postgres and Redis know of a station now. @param owner who holds its socket. @param metersSince start of the meter
 * check; undefined: it has not started, and no meter message is looked for.
 */
export async function loadStationFacts(
  sql: Sql,
  stationId: string,
  owner: Owner | undefined,
  metersSince: Date | undefined,
): Promise<StationFacts> {
  const [row] = await sql.query<StationRow>(
    `select coalesce(c.ocpp_version, s.ocpp_version) as version, c.epoch::text as epoch, c.opened_at, c.closed_at, c.close_code,
            seen.last_heartbeat_at, b.firmware_version, b.booted_at
     from stations s
     left join station_connections c on c.station_id = s.id
     left join station_seen seen on seen.station_id = s.id
     left join station_boots b on b.station_id = s.id
     where s.id = $1`,
    [stationId],
  );
  if (row === undefined) throw new Error(`station ${stationId} is gone`);
  const connected = owner?.alive === true;
  const since = metersSince && new Date(metersSince.getTime() - CLOCK_TOLERANCE_MS);
  return {
    version: row.version,
    connected,
    lastConnection:
      row.opened_at === null
        ? undefined
        : {
            openedAt: row.opened_at,
            closedAt: row.closed_at,
            closeCode: row.close_code,
            isCurrent: connected && Number(row.epoch) === owner.epoch,
          },
    diagnosis: undefined,
    lastHeartbeatAt: row.last_heartbeat_at ?? undefined,
    boot: row.booted_at === null ? undefined : { firmwareVersion: row.firmware_version, bootedAt: row.booted_at },
    readings: since === undefined ? [] : await recentReadings(sql, stationId, since),
    earlierReadings: since === undefined ? [] : await earlierReadings(sql, stationId, since),
  };
}

/** From the message log, because it has every message: a station whose clock stands still sends the same sample again. */
async function recentReadings(sql: Sql, stationId: string, since: Date): Promise<EnergyReading[]> {
  const rows = await sql.query<{ raw: string; received_at: Date }>(
    `select raw, received_at from message_log
     where station_id = $1 and received_at >= $2 and direction = 0 and action in ('MeterValues', 'TransactionEvent')
     order by received_at, epoch, seq limit $3`,
    [stationId, since, MAX_MESSAGES],
  );
  return rows.flatMap((row) => {
    const payload = payloadOf(row.raw);
    if (payload === undefined || payload["meterValue"] === undefined) return [];
    return [
      {
        connector: connectorOf(payload),
        energyWh: energyRegisterWh(readMeterValues(payload["meterValue"]), "Trigger"),
        receivedAt: row.received_at,
      },
    ];
  });
}

function payloadOf(raw: string): Record<string, unknown> | undefined {
  try {
    const frame = parseExactJson(raw);
    const payload: unknown = Array.isArray(frame) ? frame[3] : undefined;
    return isObject(payload) ? payload : undefined;
  } catch {
    // The log keeps frames that could not be read, too.
    return undefined;
  }
}

/** 1.6 connectorId; 2.x MeterValues evseId, TransactionEvent evse.id. */
function connectorOf(payload: Record<string, unknown>): number {
  const evse = payload["evse"];
  return Number(payload["connectorId"] ?? payload["evseId"] ?? (isObject(evse) ? evse["id"] : 0)) || 0;
}

async function earlierReadings(sql: Sql, stationId: string, before: Date): Promise<EnergyReading[]> {
  const rows = await sql.query<{
    connector: number;
    vals: (string | null)[];
    members: string;
    received_at: Date;
    sampled_at: Date;
  }>(
    `select m.connector, m.vals::text[] as vals, s.members, m.received_at, m.sampled_at
     from meter_values m join meter_shapes s on s.id = m.shape
     where m.station_id = $1 and m.received_at < $2 and m.sampled_at > $2::timestamptz - make_interval(days => $3)
     order by m.received_at desc limit $4`,
    [stationId, before, EARLIER_DAYS, MAX_EARLIER],
  );
  const newest = new Map<number, EnergyReading>();
  for (const row of rows) {
    const reading: MeterReading = {
      sampledAt: row.sampled_at,
      shape: JSON.parse(row.members) as ShapeMember[],
      values: row.vals,
      raw: undefined,
    };
    const energyWh = energyRegisterWh([reading], "Trigger");
    if (energyWh !== null && !newest.has(row.connector))
      newest.set(row.connector, { connector: row.connector, energyWh, receivedAt: row.received_at });
  }
  return [...newest.values()];
}
