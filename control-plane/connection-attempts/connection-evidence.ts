import { type ConnectionAttempt, decodeAttempt } from "@dynamo-csms/proto/connection-attempt";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { connectionAttempts, UNKNOWN_ATTEMPTS } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { Registration } from "@dynamo-csms/proto/station-record";
import type { Sql } from "../database.ts";
import { isOutage } from "../http/outage.ts";
import { ocppEndpoint } from "../stations/charge-point-view.ts";
import { connectedNow } from "../stations/presence.ts";
import type { ConnectionEvidence } from "./diagnose.ts";
import { similarAttempts } from "./similar-attempts.ts";

export interface EvidenceDeps {
  redis: RedisConnection;
  /** PUBLIC_OCPP_URL. */
  publicOcppUrl: string;
}

interface Row {
  identity: StationIdentity;
  identity_spelling: string;
  serial_number: string;
  ocpp_version: OcppVersion;
  security_profile: 1 | 2 | 3;
  registration: Registration;
  opened_at: Date | null;
  closed_at: Date | null;
  close_code: number | null;
  close_reason: string | null;
  notes: string[] | null;
  booted_at: Date | null;
}

/** Collects what Postgres and Redis know of a station's connection; without Redis what Postgres knows. @param stationId stations.id */
export async function loadConnectionEvidence(
  sql: Sql,
  { redis, publicOcppUrl }: EvidenceDeps,
  stationId: string,
): Promise<ConnectionEvidence> {
  const [row] = await sql.query<Row>(
    `select s.identity, s.identity_spelling, s.serial_number, s.ocpp_version, s.security_profile, s.registration,
            c.opened_at, c.closed_at, c.close_code, c.close_reason, c.notes, b.booted_at
     from stations s left join station_connections c on c.station_id = s.id left join station_boots b on b.station_id = s.id
     where s.id = $1`,
    [stationId],
  );
  if (row === undefined) throw new Error(`station ${stationId} is gone`);
  const seen = await whatRedisSaw(redis, row);
  return {
    now: new Date(),
    unit: {
      endpoint: ocppEndpoint(publicOcppUrl, row.ocpp_version, row.identity_spelling),
      identity: row.identity_spelling,
      version: row.ocpp_version,
      securityProfile: row.security_profile,
    },
    ...seen,
    last:
      row.opened_at === null
        ? undefined
        : {
            openedAt: row.opened_at,
            closedAt: row.closed_at,
            closeCode: row.close_code,
            closeReason: row.close_reason,
            notes: row.notes ?? [],
          },
    registration: row.registration,
    bootedAt: row.booted_at ?? undefined,
    refusedBoot: await refusedBoot(sql, stationId),
  };
}

async function whatRedisSaw(
  redis: RedisConnection,
  row: Row,
): Promise<Pick<ConnectionEvidence, "online" | "attempts" | "similar">> {
  const online = await connectedNow(redis, [row.identity]);
  if (online === undefined) return { online, attempts: [], similar: [] };
  try {
    const own = await redis.lrange(connectionAttempts(row.identity), 0, -1);
    const unknown = await readUnknownAttempts(redis);
    return {
      online: online.has(row.identity),
      attempts: decodeAll(own),
      similar: similarAttempts(unknown, { identity: row.identity, serialNumber: row.serial_number }),
    };
  } catch (fault) {
    if (isOutage(fault)) return { online: undefined, attempts: [], similar: [] };
    throw fault;
  }
}

/** The attempts of all identities that nobody has registered, newest first: for who runs the deployment, and nobody else. */
export async function readUnknownAttempts(redis: RedisConnection): Promise<ConnectionAttempt[]> {
  return decodeAll(await redis.lrange(UNKNOWN_ATTEMPTS, 0, -1));
}

/** How the newest attempt of the station ended; undefined: none is known, or Redis is away. */
export async function newestAttempt(
  redis: RedisConnection,
  identity: StationIdentity,
): Promise<ConnectionAttempt | undefined> {
  try {
    const text = await redis.lindex(connectionAttempts(identity), 0);
    return text === null ? undefined : decodeAttempt(text);
  } catch (fault) {
    if (isOutage(fault)) return undefined;
    throw fault;
  }
}

/** What a newer gateway writes may not be known here: it is left out. */
const decodeAll = (texts: readonly string[]): ConnectionAttempt[] => texts.flatMap((text) => decodeAttempt(text) ?? []);

async function refusedBoot(sql: Sql, stationId: string): Promise<ConnectionEvidence["refusedBoot"]> {
  const [row] = await sql.query<{ received_at: Date; answer: string }>(
    `select received_at, answer from message_log
     where station_id = $1 and received_at > now() - interval '1 hour' and direction = 0 and action = 'BootNotification' and answer like '[4,%'
     order by message_log.epoch desc, seq desc limit 1`,
    [stationId],
  );
  if (row === undefined) return undefined;
  try {
    const [, , code, description] = JSON.parse(row.answer) as unknown[];
    return { at: row.received_at, code: String(code), description: typeof description === "string" ? description : "" };
  } catch {
    return { at: row.received_at, code: "an error", description: "" };
  }
}
