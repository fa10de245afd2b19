import type { Evidence } from "./ledger-check.ts";
import { SECRET, type Tenant } from "./two-organizations.ts";

/** What can be known of a charge point ($1, its row's id; $2 the canary), a row of each kind: whatever holds text holds the canary. */
const OF_A_CHARGE_POINT = [
  "update stations set location_description = $2, serial_number = $2 where id = $1",
  `insert into station_variables (station_id, key, component, variable, attribute, value, source, received_at, epoch, seq)
   values ($1, 'a', $2, $2, 'Actual', $2, 'report', now(), 1, 1)`,
  `insert into station_items (station_id, kind, item_key, present, data, received_at, epoch, seq)
   select $1, kind, '1', true, jsonb_build_object('component', $2::text, 'message', $2::text, 'values', $2::text, 'settings', $2::text, 'tariff', $2::text), now(), 1, 1
   from unnest(array['monitor', 'monitoring', 'display_message', 'der_control', 'tariff', 'event_stream']) as k (kind)`,
  `insert into station_notices (station_id, kind, digest, data, received_at)
   select $1, kind, sha256(kind::bytea), jsonb_build_object('note', $2::text), now() from unnest(array['battery_swap', 'der_alarm']) as k (kind)`,
  `insert into station_events (station_id, occurred_at, digest, data, received_at)
   values ($1, now(), '\\x01', jsonb_build_object('eventId', 1, 'trigger', 'Delta', 'actualValue', $2::text, 'eventNotificationType', 'PreconfiguredMonitor'), now())`,
  `insert into security_events (station_id, org_id, digest, source, type, tech_info, critical, occurred_at, received_at)
   select id, org_id, '\\x01', 'station', $2, $2, true, now(), now() from stations where id = $1`,
  `insert into data_transfers (station_id, epoch, seq, received_at, direction, vendor_id, message_id, data, status)
   values ($1, 1, 1, now(), 'from_charge_point', $2, $2, to_json($2::text), 'Accepted')`,
  `insert into message_log (station_id, epoch, received_at, seq, direction, action, message_id, raw)
   values ($1, 1, now(), 1, 0, 'Heartbeat', 'm1', json_build_array(2, 'm1', 'DataTransfer', json_build_object('vendorId', $2::text))::text)`,
  `insert into reservations (station_id, reservation_id, evse_id, id_token, state, recorded_at, epoch, seq) values ($1, 1, 1, $2, 'active', now(), 1, 1)`,
  `insert into charging_profiles (station_id, profile_id, evse_id, purpose, stack_level, kind, profile, source, recorded_at, epoch, seq)
   values ($1, 1, 1, 'TxProfile', 0, 'Absolute', jsonb_build_object('note', $2::text), 'command', now(), 1, 1)`,
  `insert into charging_reports (station_id, evse_id, kind, limit_source, payload, received_at, epoch, seq)
   values ($1, 1, 'limit', 'EMS', jsonb_build_object('note', $2::text), now(), 1, 1)`,
  "insert into local_lists (station_id, version, epoch, seq) values ($1, 1, 1, 1)",
  "insert into local_list_entries (station_id, token_key, id_token) values ($1, lower($2), $2)",
  `insert into transfer_jobs (command_id, station_id, org_id, kind, action, location, file_name, status, requested_at, updated_at, epoch, seq)
   select kind || ' of ' || id, id, org_id, kind, 'UpdateFirmware', 'https://example.org/' || $2, $2, 'Requested', now(), now(), 1, 1
   from stations, unnest(array['firmware', 'log']) as k (kind) where id = $1`,
  `insert into station_hardware (station_id, serial_number, vendor, model, ocpp_version, reason) values ($1, $2, $2, $2, '1.6', $2)`,
  `insert into installed_certificates (station_id, certificate_type, hash_algorithm, issuer_name_hash, issuer_key_hash, serial_number, reported_at)
   values ($1, 'CSMSRootCertificate', 'SHA256', $2, $2, $2, now())`,
  `insert into connector_status (station_id, evse_id, connector_id, status, info, vendor_error_code, received_at, epoch, seq)
   values ($1, 1, 1, 'Available', $2, $2, now(), 1, 1) on conflict do nothing`,
  "update commands set reason = $2 where station_id = $1",
  "update commissioning_checks set value = $2 where commissioning_id in (select id from commissionings where station_id = $1)",
  `insert into handovers (project_id, installer_id, signed_by, handover_notes, site_contact_name, site_contact_email, handed_over_at)
   select project_id, registered_by, $2, $2, $2, 'owner@site.example', now() from stations where id = $1`,
  `insert into certificates (project_id, pdf, sha256, link_token_sealed, link_token_hash, created_at)
   select project_id, ('%PDF-1.4 ' || $2)::bytea, sha256(('%PDF-1.4 ' || $2)::bytea), 'none', '\\x00', now() from stations where id = $1`,
];

/** The same of what is not a charge point's. */
const OF_THE_TENANT = [
  "update installers set full_name = $2, company = $2 where id = $1",
  "update organizations set name = $2 where id = (select org_id from api_keys where id = $1)",
  "update commissionings set notes = $2 where installer_id = $1",
  `insert into audit_log (id, org_id, actor_kind, actor_id, action, request, outcome)
   select 'aud_canary', org_id, 'api_key', $1, 'updateProject', json_build_object('name', $2::text), 'done' from api_keys where id = $1`,
];

/** Puts the canary into everything that the tenant can have, so that a stranger who is shown any of it is caught. */
export async function plantCanaries(evidence: Evidence, { ids }: Tenant): Promise<void> {
  const [station] = await evidence.sql<{ id: string }>("select id from stations where charge_point_id = $1", [
    ids["charge_point_id"],
  ]);
  for (const statement of OF_A_CHARGE_POINT)
    await evidence.sql(statement, statement.includes("$2") ? [station?.id, SECRET] : [station?.id]);
  for (const statement of OF_THE_TENANT)
    await evidence.sql(statement, [statement.includes("api_keys") ? ids["key_id"] : ids["installer_id"], SECRET]);
}
