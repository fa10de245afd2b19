import { once } from "node:events";
import { createWriteStream, existsSync, readFileSync, statSync, truncateSync } from "node:fs";
import { finished } from "node:stream/promises";
import { ConfigReader } from "../../config-reader.ts";
import { sqlOn } from "../../database.ts";
import { type Imported, importChargePoints, type ImportTarget } from "../../stations/import-charge-points.ts";
import { relayRegistryOutbox } from "../../stations/registry-outbox.ts";
import { type CommandIo, defineCommand, ORG, PROJECT } from "./cli-command.ts";
import { CliMistake } from "./cli-mistake.ts";
import { findOrganization } from "./organizations.ts";
import { showProgress } from "./progress.ts";
import { firstOf, readImportFile } from "./read-import-file.ts";
import { type Servers, withServers } from "./with-servers.ts";

interface Flags {
  file: string;
  out: string;
  org: string | undefined;
  project: string | undefined;
  accepted: boolean | undefined;
  resume: boolean | undefined;
  "allow-weak": boolean | undefined;
}

/** Stations per transaction, and per round of writing the registry. */
const BATCH = 1_000;
const HEADING = "line,identity,charge_point_id\n";

/**
 * Imports a fleet with its identities and passwords out of a CSV file, and writes what became of each line to another. The
 * whole file is read first: a file with a mistake imports nothing. A batch is in Postgres and in the gateways' registry before
 * its lines are written. An import that was broken off goes on with --resume: what the output tells is left out, and what is
 * registered exactly as the file says, by the batch whose lines were not written any more, counts as imported.
 */
async function importFleet(flags: Flags, { env, readFile, note }: CommandIo): Promise<void> {
  const { file, out } = flags;
  const resume = flags.resume === true;
  const written = linesWritten(out, resume);
  const units = await readImportFile(file, {
    allowWeak: flags["allow-weak"] === true,
    oneProject: flags.project !== undefined,
  });
  const left = units.filter(({ line }) => !written.has(line));
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
      resume,
      peppers: config.peppers,
    };
    const registry = { pool, redis, heartbeatIntervalSeconds: config.heartbeatIntervalSeconds, limit: BATCH };
    const report = createWriteStream(out, { mode: 0o600, flags: written.size > 0 ? "a" : "w" });
    await once(report, "open");
    if (written.size === 0) report.write(HEADING);
    const progress = showProgress({ total: units.length, what: "charge points imported" });
    const close = async () => {
      progress.end();
      report.end();
      await finished(report);
    };
    for (let from = 0; from < left.length; from += BATCH) {
      const batch = left.slice(from, from + BATCH);
      const result = await importChargePoints(pool, batch, target);
      if ("taken" in result) {
        await close();
        throw new CliMistake(
          `${written.size + from} of ${units.length} charge points are imported (see ${out}). These are taken already, by identity or by serial number in the project:\n${firstOf(result.taken.map(({ unit, field }) => `line ${unit.line}: ${unit.identitySpelling} (${field})`))}\nWith other lines in their place the import goes on with --resume.`,
        );
      }
      while ((await relayRegistryOutbox(registry)) > 0);
      if (!report.write(result.imported.map(lineOf).join(""))) await once(report, "drain");
      progress.at(written.size + from + batch.length);
    }
    await close();
    note(`${units.length} charge points imported, their ids in ${out}`);
  });
}

const lineOf = ({ line, identity, chargePointId }: Imported) =>
  `${line},"${identity.replaceAll('"', '""')}",${chargePointId}\n`;

/** The lines of the file that the output of an earlier run tells. A last line that is not whole is cut off. */
function linesWritten(out: string, resume: boolean): ReadonlySet<number> {
  if (!existsSync(out) || statSync(out).size === 0) return new Set();
  if (!resume)
    throw new CliMistake(`--out: ${out} exists: --resume goes on with the import that wrote it, or name another file`);
  const text = readFileSync(out, "utf8");
  if (!text.startsWith(HEADING) && !HEADING.startsWith(text))
    throw new CliMistake(`--out: ${out} was not written by an import`);
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  truncateSync(out, Buffer.byteLength(whole));
  return new Set(
    whole
      .split("\n")
      .slice(1, -1)
      .map((line) => Number(line.slice(0, line.indexOf(",")))),
  );
}

async function checkProject({ pool }: Servers, orgId: string, projectId: string | undefined): Promise<void> {
  if (projectId === undefined) return;
  const rows = await sqlOn(pool).query(`select 1 from projects where id = $1 and org_id = $2`, [projectId, orgId]);
  if (rows.length === 0) throw new CliMistake(`there is no project ${projectId} in the organisation ${orgId}`);
}

/** A fleet from another back end. */
export const importCommand = defineCommand({
  name: "charge-points import",
  summary: "Takes a fleet over with its identities and passwords.",
  more: "The CSV's first line names the columns; a file with a mistake imports nothing.",
  flags: {
    file: { value: "FILE", required: true, help: "the fleet" },
    out: { value: "FILE", required: true, help: "what became of each line" },
    accepted: { help: "as if they had booted here before" },
    "allow-weak": { help: "takes passwords shorter than 16 bytes" },
    resume: { help: "goes on with an import that was broken off" },
    org: ORG,
    project: PROJECT,
  },
  examples: [
    "charge-points import --file fleet.csv --accepted --out imported.csv",
    "charge-points import --file fleet.csv --accepted --resume --out imported.csv",
  ],
  run: importFleet,
});
