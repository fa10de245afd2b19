import { z } from "zod";
import type { Sql } from "../database.ts";
import { isoTime } from "../http/fields.ts";
import { isoMillis, isoSeconds } from "../http/iso-time.ts";
import { named } from "../http/json-schema.ts";
import { ATTEMPT_OUTCOMES, type ConnectionAttempt } from "@dynamo-csms/proto/connection-attempt";
import { QUIRK_NAMES, type QuirkSettings } from "@dynamo-csms/proto/quirks";
import { OCPP_VERSIONS } from "@dynamo-csms/proto/ocpp-version";

/** How every charge point is shown, to installers and operators. */
const chargePointShape = {
  charge_point_id: z.string(),
  project_id: z.string().nullable(),
  serial_number: z.string(),
  vendor: z.string(),
  model: z.string(),
  ocpp_version: z.enum(OCPP_VERSIONS),
  status: z.enum(["registered", "commissioning", "commissioned"]),
  online: z.boolean().nullable().describe("whether it is connected now; null: cannot be told at the moment"),
  last_seen_at: isoTime().nullable(),
  last_heartbeat_at: isoTime().nullable(),
  commissioning: z
    .object({ commissioning_id: z.string(), status: z.enum(["in_progress", "completed", "failed"]) })
    .nullable(),
  quirks: z.array(z.enum(QUIRK_NAMES)).describe("what a quirk profile forgives it, in either mode"),
  created_at: isoTime(),
};

/** What the page of one charge point shows besides. */
const chargePointDetailShape = {
  ...chargePointShape,
  ocpp_endpoint: z.string(),
  max_power_kw: z.number().nullable(),
  connector_count: z.number().int(),
  location: z.object({ latitude: z.number(), longitude: z.number(), description: z.string().nullable() }).nullable(),
  registration: z
    .enum(["unknown", "pending", "accepted", "rejected"])
    .describe("what its BootNotification was answered"),
  firmware_version: z.string().nullable(),
  security_profile: z
    .int()
    .min(1)
    .max(3)
    .describe("1: password, 2: TLS and password, 3: TLS with a client certificate"),
  connection: z
    .object({
      remote_address: z.string(),
      security_profile: z
        .int()
        .min(1)
        .max(3)
        .nullable()
        .describe(
          "of the listener that it came in by: above the charge point's own, that may be raised; null: not known",
        ),
      ocpp_version: z.string(),
      opened_at: isoTime(),
      closed_at: isoTime().nullable(),
      close_code: z.number().int().nullable(),
      close_reason: z.string().nullable(),
      notes: z.array(z.string()).describe("what was forgiven when it connected"),
    })
    .nullable()
    .describe("the newest connection on record"),
  last_attempt: z
    .object({ at: isoTime(), outcome: z.enum(ATTEMPT_OUTCOMES) })
    .nullable()
    .describe("how its last attempt to connect ended; `…/connection-attempts` says what to do about it"),
  connectors: z.array(
    z.object({
      evse_id: z.number().int().describe("0 for OCPP 1.6"),
      connector_id: z.number().int().describe("0: the whole unit"),
      status: z.string(),
      error_code: z.string().nullable(),
      info: z.string().nullable(),
      reported_at: isoTime().nullable(),
      received_at: isoTime(),
    }),
  ),
};

export const chargePoint = named("ChargePoint", z.object(chargePointShape));
export const chargePointWithDetail = named("ChargePointDetail", z.object(chargePointDetailShape));
export const chargePointStatus = chargePointShape.status;

export interface ChargePointRow {
  id: string;
  charge_point_id: string;
  identity: string;
  identity_spelling: string;
  project_id: string | null;
  serial_number: string;
  vendor: string;
  model: string;
  ocpp_version: "1.6" | "2.0.1" | "2.1";
  max_power_kw: number | null;
  connector_count: number;
  latitude: number | null;
  longitude: number | null;
  location_description: string | null;
  registration: "unknown" | "pending" | "accepted" | "rejected";
  quirks: QuirkSettings | null;
  firmware_version: string | null;
  security_profile: number;
  last_seen_at: Date | null;
  last_heartbeat_at: Date | null;
  commissioning_id: string | null;
  commissioning_status: "in_progress" | "completed" | "failed" | null;
  created_at: Date;
  created_at_text: string;
}

/** Reads ChargePointRows; a `where` on `s` follows. */
export const SELECT_CHARGE_POINTS = `
  select s.id::text as id, s.charge_point_id, s.identity, s.identity_spelling, s.project_id, s.serial_number, s.vendor, s.model, s.ocpp_version,
         s.max_power_kw::float8 as max_power_kw, s.connector_count, s.latitude, s.longitude, s.location_description, s.registration, s.quirks, s.security_profile,
         b.firmware_version, seen.last_seen_at, seen.last_heartbeat_at, c.id as commissioning_id, c.status as commissioning_status, s.created_at,
         to_char(s.created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US"+00"') as created_at_text
  from stations s
    left join station_boots b on b.station_id = s.id
    left join station_seen seen on seen.station_id = s.id
    left join station_connections k on k.station_id = s.id
    left join commissionings c on c.station_id = s.id`;

/** @param connected who is connected now; undefined when nobody can tell. */
export function chargePointView(row: ChargePointRow, connected: ReadonlySet<string> | undefined) {
  const { commissioning_id, commissioning_status } = row;
  return {
    charge_point_id: row.charge_point_id,
    project_id: row.project_id,
    serial_number: row.serial_number,
    vendor: row.vendor,
    model: row.model,
    ocpp_version: row.ocpp_version,
    status: statusOf(commissioning_status),
    online: connected === undefined ? null : connected.has(row.identity),
    last_seen_at: row.last_seen_at === null ? null : isoMillis(row.last_seen_at),
    last_heartbeat_at: row.last_heartbeat_at === null ? null : isoMillis(row.last_heartbeat_at),
    commissioning:
      commissioning_id === null || commissioning_status === null
        ? null
        : { commissioning_id, status: commissioning_status },
    quirks: QUIRK_NAMES.filter((name) => row.quirks?.[name] !== undefined),
    created_at: isoSeconds(row.created_at),
  };
}

const statusOf = (commissioning: ChargePointRow["commissioning_status"]) =>
  commissioning === null ? "registered" : commissioning === "completed" ? "commissioned" : "commissioning";

/** @param publicOcppUrl PUBLIC_OCPP_URL. @param lastAttempt the newest that is known (connection-evidence.ts). */
export async function chargePointDetail(
  sql: Sql,
  row: ChargePointRow,
  connected: ReadonlySet<string> | undefined,
  publicOcppUrl: string,
  lastAttempt?: ConnectionAttempt,
) {
  const [connection] = await sql.query<ConnectionRow>(
    `select remote_address, listener as security_profile, ocpp_version, opened_at, closed_at, close_code, close_reason, notes from station_connections where station_id = $1`,
    [row.id],
  );
  const connectors = await sql.query<ConnectorRow>(
    `select evse_id, connector_id, status, error_code, info, reported_at, received_at from connector_status where station_id = $1 order by evse_id, connector_id`,
    [row.id],
  );
  return {
    ...chargePointView(row, connected),
    ocpp_endpoint: ocppEndpoint(publicOcppUrl, row.ocpp_version, row.identity_spelling),
    max_power_kw: row.max_power_kw,
    connector_count: row.connector_count,
    location:
      row.latitude === null || row.longitude === null
        ? null
        : { latitude: row.latitude, longitude: row.longitude, description: row.location_description },
    registration: row.registration,
    firmware_version: row.firmware_version,
    security_profile: row.security_profile,
    connection:
      connection === undefined
        ? null
        : {
            ...connection,
            opened_at: isoMillis(connection.opened_at),
            closed_at: connection.closed_at && isoMillis(connection.closed_at),
          },
    last_attempt:
      lastAttempt === undefined ? null : { at: isoMillis(new Date(lastAttempt.atMs)), outcome: lastAttempt.outcome },
    connectors: connectors.map((connector) => ({
      ...connector,
      reported_at: connector.reported_at && isoMillis(connector.reported_at),
      received_at: isoMillis(connector.received_at),
    })),
  };
}

/** What is entered at the unit as the address of its back end. */
export const ocppEndpoint = (publicOcppUrl: string, version: string, spelling: string) =>
  `${publicOcppUrl}/ocpp/${version}/${encodeURIComponent(spelling)}`;

interface ConnectionRow {
  remote_address: string;
  security_profile: 1 | 2 | 3 | null;
  ocpp_version: string;
  opened_at: Date;
  closed_at: Date | null;
  close_code: number | null;
  close_reason: string | null;
  notes: string[];
}

interface ConnectorRow {
  evse_id: number;
  connector_id: number;
  status: string;
  error_code: string | null;
  info: string | null;
  reported_at: Date | null;
  received_at: Date;
}
