import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { FOLDERS } from "../folders.ts";
import type { Cluster } from "./cluster.ts";
import { readyInstaller } from "./installer-journey.ts";
import type { Evidence } from "./ledger-check.ts";
import { rest } from "./rest-client.ts";

const CLI = "control-plane/processes/cli/main.ts";

/** One organisation with an installer at work, and the ids of everything that it has. */
export interface Tenant {
  apiKey: string;
  token: string;
  /** Path parameter or field → id. */
  ids: Record<string, string>;
  password: string;
}

/** Texts that stand in everything the first organisation has: nobody else may ever read one of them. */
export const SECRET = "Hollow Oak";

/** A second organisation beside the one of the cluster, with a key that may do everything. */
export async function secondOrganization(cluster: Cluster, evidence: Evidence): Promise<string> {
  await evidence.sql(
    "insert into organizations (id, name, contact_email) values ('org_stranger0000', 'Stranger', 'ops@stranger.example')",
  );
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--conditions=source", CLI, "api-keys", "create", "--name", "stranger", "--org", "org_stranger0000"],
    { cwd: FOLDERS.root, env: { PATH: process.env["PATH"] ?? "", DATABASE_URL: cluster.databaseUrl } },
  );
  return (JSON.parse(stdout) as { api_key: string }).api_key;
}

/** A charging session on the tenant's unit, as its lane would have brought it. @returns its id. */
export async function recordSession(evidence: Evidence, { ids }: Tenant): Promise<string> {
  const [row] = await evidence.sql<{ session_id: string }>(
    `insert into transactions (session_id, org_id, station_id, ocpp_version, transaction_id, connector_id, id_token, state, started_at, start_received_at, start_confirmed_at)
     select 'sess_' || substr(charge_point_id, 4), org_id, id, '1.6', nextval('ocpp16_transaction_ids')::text, 1, $2, 'active', now(), now(), now()
     from stations where charge_point_id = $1 returning session_id`,
    [ids["charge_point_id"], SECRET],
  );
  if (row === undefined) throw new Error("no session");
  return row.session_id;
}

/** A certificate of the tenant's unit, as its authority would have issued it. @returns its id. */
export async function recordCertificate(evidence: Evidence, { ids }: Tenant): Promise<string> {
  const [row] = await evidence.sql<{ id: string }>(
    `with request as (
       insert into certificate_requests (id, station_id, org_id, certificate_type, csr_hash, csr, state, epoch, seq)
       select 'csr_' || substr(charge_point_id, 4), id, org_id, 'ChargingStationCertificate', '\\x00', 'csr', 'installed', 1, 1
       from stations where charge_point_id = $1 returning id, station_id, org_id)
     insert into station_certificates (id, station_id, org_id, request_id, certificate_type, fingerprint, serial_number, subject, issuer, not_before, not_after, chain, state)
     select 'crt_' || substr(id, 5), station_id, org_id, id, 'ChargingStationCertificate', md5(id), '01', $2, 'CN=CA', now(), now() + interval '1 year', 'chain', 'installed'
     from request returning id`,
    [ids["charge_point_id"], `CN=${SECRET}`],
  );
  if (row === undefined) throw new Error("no certificate");
  return row.id;
}

/** A message of the tenant's unit that could not be filed. @returns its id. */
export async function recordDeadLetter(evidence: Evidence, { ids }: Tenant): Promise<string> {
  const [row] = await evidence.sql<{ id: string }>(
    `insert into dead_letters (lane_id, entry_id, frame_index, identity, frame, reason)
     select 'lane of ' || charge_point_id, '1-0', 0, identity, json_build_object('kind', 'inbound', 'text', $2::text), $2
     from stations where charge_point_id = $1 returning public_id as id`,
    [ids["charge_point_id"], SECRET],
  );
  if (row === undefined) throw new Error("no dead letter");
  return row.id;
}

/** An installer at work on a project with one registered unit, a commissioning, a command, a webhook endpoint and a delivery. */
export async function workingTenant(cluster: Cluster, email: string, name: string): Promise<Tenant> {
  const { token, projectId } = await readyInstaller(cluster, email);
  const ask = async (method: "GET" | "POST" | "PATCH", path: string, as: string, body?: unknown) => {
    const { status, body: answer } = await rest(method, cluster.apiUrl + path, as, body);
    if (status >= 300 && answer["command_id"] === undefined)
      throw new Error(`${method} ${path}: ${status} ${JSON.stringify(answer)}`);
    return answer as Record<string, string> & { deliveries: Record<string, string>[]; keys: Record<string, string>[] };
  };
  const key = cluster.apiKey;
  const unit = {
    project_id: projectId,
    serial_number: `${name} 1`,
    model: name,
    vendor: name,
    ocpp_version: "1.6",
    connector_count: 1,
  };
  await ask("PATCH", `/api/v1/projects/${projectId}`, key, { name, site_address: name });
  const registered = await ask("POST", "/api/v1/installer/charge-points", token, unit);
  const chargePointId = registered["charge_point_id"] as string;
  await ask("POST", `/api/v1/installer/commissioning/${chargePointId}/start`, token, { notes: name });
  const command = { charge_point_id: chargePointId, command: "Reset", payload: { type: "Soft" } };
  const endpoint = await ask("POST", "/api/v1/webhooks/endpoints", key, {
    url: "http://127.0.0.1:9/",
    events: ["*"],
    description: name,
  });
  await ask("POST", `/api/v1/webhooks/endpoints/${endpoint["id"]}/test`, key);
  const ids = {
    project_id: projectId,
    charge_point_id: chargePointId,
    installer_id: (await ask("GET", "/api/v1/installer/me", token))["installer_id"] as string,
    command_id: (await ask("POST", "/api/v1/ocpp16/send_command", key, command))["command_id"] as string,
    endpoint_id: endpoint["id"] as string,
    delivery_id: (await ask("GET", `/api/v1/webhooks/endpoints/${endpoint["id"]}/deliveries`, key)).deliveries[0]?.[
      "id"
    ] as string,
    token_id: (await ask("POST", "/api/v1/id-tokens", key, { id_token: name, note: name }))["token_id"] as string,
    quirk_profile_id: (
      await ask("POST", "/api/v1/quirk-profiles", key, {
        name,
        match: { vendor: name },
        settings: { odd_timestamps: { mode: "report_only" } },
      })
    )["quirk_profile_id"] as string,
    erasure_id: (await ask("POST", "/api/v1/personal-data/erasures", key, { id_token: `nobody of ${projectId}` }))[
      "erasure_id"
    ] as string,
    key_id: (await ask("POST", "/api/v1/org/api-keys", key, { name, scopes: ["read:projects"] }))["id"] as string,
  };
  const missing = Object.entries(ids).filter(([, id]) => id === undefined);
  if (missing.length > 0) throw new Error(`no ${missing.map(([what]) => what).join(", ")}`);
  return { apiKey: key, token, ids, password: registered["provisioning_password"] as string };
}
