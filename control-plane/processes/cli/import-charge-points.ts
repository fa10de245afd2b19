import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import type { Environment } from "@dynamo-csms/proto/process/environment";
import { parse } from "csv-parse";
import { ConfigReader } from "../../config-reader.ts";
import { sqlOn } from "../../database.ts";
import {
  type Imported,
  type ImportedChargePoint,
  importChargePoints,
  type ImportTarget,
} from "../../stations/import-charge-points.ts";
import { IMPORT_COLUMNS, readImportRow } from "../../stations/read-import-row.ts";
import { relayRegistryOutbox } from "../../stations/registry-outbox.ts";
import { CliMistake, required } from "./cli-mistake.ts";
import { findOrganization } from "./organization.ts";
import { type Servers, withServers } from "./with-servers.ts";

interface Flags {
  file?: string | undefined;
  out?: string | undefined;
  org?: string | undefined;
  project?: string | undefined;
  accepted?: boolean | undefined;
  "allow-weak"?: boolean | undefined;
}

/** Stations per transaction, and per round of writing the registry. */
const BATCH = 1_000;
const MAX_SHOWN = 50;

/**
 * Imports a fleet with its identities and passwords out of a CSV file, and writes what became of each line to another. The
 * whole file is read first: a file with a mistake imports nothing. A batch is in Postgres and in the gateways' registry before
 * its lines are written. Run again after it was broken off, with the lines that are not in the output yet.
 */
export async function importFleet(flags: Flags, env: Environment, readFile: (path: string) => string): Promise<void> {
  const file = required(flags.file, "file");
  const out = required(flags.out, "out");
  const units = await readUnits(file, { allowWeak: flags["allow-weak"] === true });
  const read = new ConfigReader(env, readFile);
  const config = read.finish({
    ...read.shared(),
    peppers: read.peppers(),
    heartbeatIntervalSeconds: read.integer("HEARTBEAT_INTERVAL_SECONDS", 300, 1, 86_400),
  });
  await withServers(config, async ({ pool, redis }) => {
    const orgId = await findOrganization(sqlOn(pool), flags.org);
    await checkProject({ pool, redis }, orgId, flags.project);
    const target: ImportTarget = {
      orgId,
      projectId: flags.project ?? null,
      accepted: flags.accepted === true,
      peppers: config.peppers,
    };
    const registry = { pool, redis, heartbeatIntervalSeconds: config.heartbeatIntervalSeconds, limit: BATCH };
    const report = createWriteStream(out, { mode: 0o600 });
    await once(report, "open");
    report.write("line,identity,charge_point_id\n");
    for (let from = 0; from < units.length; from += BATCH) {
      const result = await importChargePoints(pool, units.slice(from, from + BATCH), target);
      if ("taken" in result) {
        report.end();
        await finished(report);
        throw new CliMistake(
          `${from} of ${units.length} charge points are imported (see ${out}). These are taken already, by identity or by serial number in the project:\n${shown(result.taken.map((unit) => `line ${unit.line}: ${unit.identitySpelling}`))}`,
        );
      }
      while ((await relayRegistryOutbox(registry)) > 0);
      if (!report.write(result.imported.map(lineOf).join(""))) await once(report, "drain");
    }
    report.end();
    await finished(report);
    console.error(`${units.length} charge points imported, their ids in ${out}`);
  });
}

const lineOf = ({ line, identity, chargePointId }: Imported) =>
  `${line},"${identity.replaceAll('"', '""')}",${chargePointId}\n`;

async function readUnits(file: string, options: { allowWeak: boolean }): Promise<ImportedChargePoint[]> {
  const units: ImportedChargePoint[] = [];
  const mistakes: string[] = [];
  const lineOfIdentity = new Map<string, number>();
  const rows = createReadStream(file).pipe(
    parse({ bom: true, columns: checkColumns, info: true, max_record_size: 10_000 }),
  );
  try {
    for await (const { record, info } of rows as AsyncIterable<{
      record: Record<string, string>;
      info: { lines: number };
    }>) {
      const unit = readImportRow(record, info.lines, options);
      if (!unit.ok) mistakes.push(...unit.error.map((mistake) => `line ${info.lines}: ${mistake}`));
      else {
        const earlier = lineOfIdentity.get(unit.value.identity);
        if (earlier !== undefined) mistakes.push(`line ${info.lines}: the identity stands in line ${earlier} already`);
        lineOfIdentity.set(unit.value.identity, info.lines);
        units.push(unit.value);
      }
    }
  } catch (fault) {
    throw fault instanceof CliMistake ? fault : new CliMistake(`${file}: ${(fault as Error).message}`);
  }
  if (mistakes.length > 0) throw new CliMistake(`${file}: nothing was imported.\n${shown(mistakes)}`);
  if (units.length === 0) throw new CliMistake(`${file}: there is no charge point in it`);
  return units;
}

function checkColumns(header: string[]): string[] {
  const names = header.map((name) => name.trim().toLowerCase());
  const unknown = names.filter((name) => !Object.hasOwn(IMPORT_COLUMNS, name));
  const missing = ["identity", "password", "ocpp_version"].filter((name) => !names.includes(name));
  if (unknown.length > 0 || missing.length > 0)
    throw new CliMistake(
      `the first line names the columns: ${Object.keys(IMPORT_COLUMNS).join(", ")}.${unknown.length > 0 ? ` Unknown: ${unknown.join(", ")}.` : ""}${missing.length > 0 ? ` Missing: ${missing.join(", ")}.` : ""}`,
    );
  return names;
}

async function checkProject({ pool }: Servers, orgId: string, projectId: string | undefined): Promise<void> {
  if (projectId === undefined) return;
  const rows = await sqlOn(pool).query(`select 1 from projects where id = $1 and org_id = $2`, [projectId, orgId]);
  if (rows.length === 0) throw new CliMistake(`there is no project ${projectId} in the organisation ${orgId}`);
}

const shown = (lines: readonly string[]) =>
  [...lines.slice(0, MAX_SHOWN), ...(lines.length > MAX_SHOWN ? [`… and ${lines.length - MAX_SHOWN} more`] : [])].join(
    "\n",
  );
