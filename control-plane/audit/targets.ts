import type { Sql } from "../database.ts";

/** What an action is about: a kind of TARGETS and its public id. */
export interface Target {
  kind: string;
  id: string;
}

/** A target's state as the audit log shows it: settings, never a secret, a name or an address of a person. */
export interface TargetState {
  orgId: string | null;
  state: unknown;
}

/** By the name of the id in paths and answers. The SQL gives `org_id` and `state` for the id in $1. */
const TARGETS: ReadonlyMap<string, string> = new Map([
  [
    "charge_point_id",
    `select s.org_id, json_build_object('project_id', s.project_id, 'serial_number', s.serial_number, 'vendor', s.vendor, 'model', s.model,
        'ocpp_version', s.ocpp_version, 'max_power_kw', s.max_power_kw, 'connector_count', s.connector_count, 'latitude', s.latitude,
        'longitude', s.longitude, 'location_description', s.location_description, 'security_profile', s.security_profile,
        'registration', s.registration, 'retired_at', s.retired_at, 'quirks', s.quirks,
        'passwords', (select json_agg(json_build_object('slot', v.slot, 'set_at', v.created_at) order by v.slot) from station_verifiers v where v.station_id = s.id)) as state
     from stations s where s.charge_point_id = $1`,
  ],
  [
    "project_id",
    `select p.org_id, json_build_object('name', p.name, 'site_address', p.site_address, 'charge_points_expected', p.charge_points_expected,
        'status', p.status, 'handed_over_at', p.handed_over_at,
        'installers', (select json_agg(a.installer_id order by a.installer_id) from project_installers a where a.project_id = p.id)) as state
     from projects p where p.id = $1`,
  ],
  [
    "endpoint_id",
    `select e.org_id, json_build_object('url', split_part(e.url, '?', 1), 'events', e.events, 'description', e.description, 'status', e.status,
        'disabled_reason', e.disabled_reason, 'deleted_at', e.deleted_at) as state from webhook_endpoints e where e.id = $1`,
  ],
  [
    "token_id",
    `select t.org_id, json_build_object('type', t.type, 'status', t.status, 'expires_at', t.expires_at, 'max_active_transactions', t.max_active_transactions,
        'in_group', t.group_token is not null, 'has_note', t.note is not null) as state from id_tokens t where t.id = $1`,
  ],
  [
    "quirk_profile_id",
    `select q.org_id, json_build_object('name', q.name, 'vendor', q.vendor, 'model', q.model, 'firmware', q.firmware, 'settings', q.settings) as state
     from quirk_profiles q where q.id = $1`,
  ],
  [
    "certificate_id",
    `select c.org_id, json_build_object('charge_point_id', (select charge_point_id from stations where id = c.station_id), 'fingerprint', c.fingerprint,
        'state', c.state, 'not_after', c.not_after, 'revoked_at', c.revoked_at, 'revocation_reason', c.revocation_reason) as state
     from station_certificates c where c.id = $1`,
  ],
  [
    "delivery_id",
    `select e.org_id, json_build_object('endpoint_id', d.endpoint_id, 'event_id', d.event_id, 'status', d.status, 'attempts', d.attempts) as state
     from webhook_deliveries d join webhook_endpoints e on e.id = d.endpoint_id where d.id = $1`,
  ],
  [
    "key_id",
    `select k.org_id, json_build_object('name', k.name, 'scopes', k.scopes, 'last4', k.key_last4, 'expires_at', k.expires_at, 'revoked_at', k.revoked_at) as state
     from api_keys k where k.id = $1`,
  ],
  [
    "command_id",
    `select c.org_id, json_build_object('action', c.action, 'ocpp_version', c.ocpp_version, 'state', c.state, 'deliver', c.deliver, 'deadline_at', c.deadline_at,
        'charge_point_id', (select charge_point_id from stations where id = c.station_id)) as state from commands c where c.id = $1`,
  ],
  [
    "commissioning_id",
    `select p.org_id, json_build_object('project_id', c.project_id, 'status', c.status, 'started_at', c.started_at, 'completed_at', c.completed_at) as state
     from commissionings c join projects p on p.id = c.project_id where c.id = $1`,
  ],
  [
    "dead_letter_id",
    // One under an identity that was registered later, or never, is no organisation's.
    `select s.org_id, json_build_object('charge_point_id', s.charge_point_id, 'lane_id', d.lane_id, 'entry_id', d.entry_id, 'frame_index', d.frame_index,
        'reason', d.reason, 'tries', d.tries, 'last_reason', d.last_reason, 'replayed_at', d.replayed_at, 'discarded_at', d.discarded_at,
        'discard_reason', d.discard_reason) as state
     from dead_letters d left join stations s on s.identity = d.identity and s.created_at <= d.set_aside_at where d.public_id = $1`,
  ],
  [
    "installer_id",
    `select null as org_id, json_build_object('status', i.status, 'verified_at', i.verified_at, 'password_changed_at', i.password_changed_at) as state
     from installers i where i.id = $1`,
  ],
]);

/** SQL that gives a target's `org_id` and `state`, for its id as the one parameter $1; undefined: this kind's state is not kept. */
export const targetQuery = (kind: string): string | undefined => TARGETS.get(kind);

/** The target's state now; undefined: there is none of this kind and id, or the kind is not one whose state is kept. */
export async function readTarget(sql: Sql, { kind, id }: Target): Promise<TargetState | undefined> {
  const select = TARGETS.get(kind);
  if (select === undefined) return undefined;
  const [row] = await sql.query<{ org_id: string | null; state: unknown }>(select, [id]);
  return row === undefined ? undefined : { orgId: row.org_id, state: row.state };
}

/** Whether the state of this kind of thing is kept. */
export const hasAuditState = (kind: string): boolean => TARGETS.has(kind);

/** Of several ids in a path, the thing itself comes last: `projects/{project_id}/installers/{installer_id}` is about the project. */
const ABOUT: Record<string, string> = { removeInstaller: "project_id" };

/** What a request is about: the last id in its path. */
export function targetOfPath(operationId: string, path: string, params: unknown): Target | undefined {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string);
  const name = ABOUT[operationId] ?? names.at(-1);
  if (name === undefined || typeof params !== "object" || params === null) return undefined;
  const id = (params as Record<string, unknown>)[name];
  return typeof id === "string" ? { kind: name, id } : undefined;
}

/** What an answer says was made: the id that stands in it. Commands and the like name what they are about as well: the first of MADE counts. */
export function targetOfAnswer(body: unknown): Target | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const fields = body as Record<string, unknown>;
  for (const name of MADE) if (typeof fields[name] === "string") return { kind: name, id: fields[name] };
  // API keys and webhook endpoints call their id `id`.
  const kind = typeof fields["id"] === "string" ? BY_PREFIX[fields["id"].split("_")[0] ?? ""] : undefined;
  return kind === undefined ? undefined : { kind, id: fields["id"] as string };
}

const MADE = [
  "command_id",
  "commissioning_id",
  "quirk_profile_id",
  "token_id",
  "charge_point_id",
  "project_id",
  "installer_id",
];
const BY_PREFIX: Record<string, string> = { key: "key_id", whe: "endpoint_id", whd: "delivery_id" };
