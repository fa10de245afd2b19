import { createWriteStream } from "node:fs";
import { once } from "node:events";
import { finished } from "node:stream/promises";
import { isOcppVersion, OCPP_VERSIONS, type OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type pg from "pg";
import { ConfigReader } from "../../config-reader.ts";
import { inTransaction, sqlOn } from "../../database.ts";
import { newId } from "../../ids.ts";
import { newProvisioningPassword, verifierOf } from "../../stations/provisioning-password.ts";
import { relayRegistryOutbox } from "../../stations/registry-outbox.ts";
import { type CommandIo, defineCommand, ORG, PROJECT } from "./cli-command.ts";
import { CliMistake } from "./cli-mistake.ts";
import { findOrganization } from "./organizations.ts";
import { showProgress } from "./progress.ts";
import { requestRegistryWrites } from "../../stations/station-registry.ts";
import { withServers } from "./with-servers.ts";

interface Flags {
  count: string;
  ocpp: string;
  out: string;
  accepted?: boolean | undefined;
  org?: string | undefined;
  project?: string | undefined;
}

/** Stations per transaction, and per round of writing the registry. */
const BATCH = 1_000;

interface Made {
  chargePointId: string;
  password: string;
}

/**
 * Registers many charge points at once, for load tests and migrations, and writes their credentials as CSV. A batch is in
 * Postgres and in the registry of the gateways before its lines are written: each line is a station that can connect.
 */
export async function generateChargePoints(
  flags: Flags,
  { env, readFile, note }: Pick<CommandIo, "env" | "readFile" | "note">,
): Promise<void> {
  const count = Number(flags.count);
  if (!Number.isInteger(count) || count < 1 || count > 10_000_000)
    throw new CliMistake("--count: want an integer from 1 to 10000000");
  const version = flags.ocpp;
  if (!isOcppVersion(version)) throw new CliMistake(`--ocpp: want one of ${OCPP_VERSIONS.join(", ")}`);
  const { out } = flags;

  const read = new ConfigReader(env, readFile);
  const config = read.finish({
    ...read.shared(),
    peppers: read.peppers(),
    heartbeatIntervalSeconds: read.integer("HEARTBEAT_INTERVAL_SECONDS", 300, 1, 86_400),
  });
  await withServers(config, async ({ pool, redis }) => {
    const orgId = await findOrganization(sqlOn(pool), flags.org);
    const registry = { pool, redis, heartbeatIntervalSeconds: config.heartbeatIntervalSeconds, limit: BATCH };
    const csv = createWriteStream(out, { mode: 0o600 });
    await once(csv, "open");
    csv.write("charge_point_id,password\n");
    const progress = showProgress({ total: count, what: "charge points registered" });
    for (let left = count; left > 0; left -= BATCH) {
      const made = Array.from({ length: Math.min(left, BATCH) }, (): Made => ({
        chargePointId: newId("cp"),
        password: newProvisioningPassword(),
      }));
      await insertStations(pool, made, {
        orgId,
        projectId: flags.project ?? null,
        version,
        accepted: flags.accepted === true,
        peppers: config.peppers,
      });
      while ((await relayRegistryOutbox(registry)) > 0);
      if (!csv.write(made.map(({ chargePointId, password }) => `${chargePointId},${password}\n`).join("")))
        await once(csv, "drain");
      progress.at(count - left + made.length);
    }
    progress.end();
    csv.end();
    await finished(csv);
    note(`${count} charge points registered, credentials in ${out}`);
  });
}

interface Kind {
  orgId: string;
  projectId: string | null;
  version: OcppVersion;
  accepted: boolean;
  peppers: Parameters<typeof verifierOf>[1];
}

/** One batch: a few statements, whatever its size. The outbox makes sure that the registry hears of it, also after a crash. */
async function insertStations(
  pool: pg.Pool,
  made: readonly Made[],
  { orgId, projectId, version, accepted, peppers }: Kind,
): Promise<void> {
  const verifiers = made.map(({ password }) => verifierOf(password, peppers));
  await inTransaction(pool, async (sql) => {
    const rows = await sql.query<{ id: string; charge_point_id: string }>(
      `insert into stations (charge_point_id, identity, identity_spelling, org_id, project_id, serial_number, vendor, model, ocpp_version, connector_count, registration, registry_rev)
       select id, id, id, $2, $3, id, 'Generated', 'Generated', $4, 1, $5, (extract(epoch from clock_timestamp()) * 1000)::bigint
       from unnest($1::text[]) as id returning id::text as id, charge_point_id`,
      [made.map(({ chargePointId }) => chargePointId), orgId, projectId, version, accepted ? "accepted" : "unknown"],
    );
    const stationIds = new Map(rows.map((row) => [row.charge_point_id, row.id]));
    await sql.query(
      `insert into station_verifiers (station_id, slot, digest, pepper_id, encoding)
       select station_id, 'current', digest, pepper_id, 'literal' from unnest($1::bigint[], $2::bytea[], $3::text[]) as v (station_id, digest, pepper_id)`,
      [
        made.map(({ chargePointId }) => stationIds.get(chargePointId)),
        verifiers.map(({ digest }) => digest),
        verifiers.map(({ pepperId }) => pepperId),
      ],
    );
    await requestRegistryWrites(sql, [...stationIds.values()]);
  });
}

/** For load tests. */
export const generateCommand = defineCommand({
  name: "charge-points generate",
  summary: "Registers many new charge points, and writes charge_point_id,password lines.",
  flags: {
    count: { value: "N", required: true, help: "how many" },
    ocpp: { value: "VERSION", required: true, help: OCPP_VERSIONS.join(", "), choices: OCPP_VERSIONS },
    out: { value: "FILE", required: true, help: "where the lines go; only you can read it" },
    accepted: { help: "as if they had booted before" },
    org: ORG,
    project: PROJECT,
  },
  examples: ["charge-points generate --count 100 --ocpp 1.6 --accepted --out stations.csv"],
  run: generateChargePoints,
});
