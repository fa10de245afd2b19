import { createReadStream } from "node:fs";
import { parse } from "csv-parse";
import type { ImportedChargePoint } from "../../stations/import-charge-points.ts";
import { IMPORT_COLUMNS, readImportRow } from "../../stations/read-import-row.ts";
import { CliMistake } from "./cli-mistake.ts";

const MAX_SHOWN = 50;

interface Rules {
  allowWeak: boolean;
  /** All of them come into one project, in which a serial number exists once. */
  oneProject: boolean;
}

/** Reads the whole file. Throws a CliMistake that names the lines and columns of all mistakes, as many as anybody reads. */
export async function readImportFile(file: string, { allowWeak, oneProject }: Rules): Promise<ImportedChargePoint[]> {
  const units: ImportedChargePoint[] = [];
  const mistakes: string[] = [];
  const lineOfIdentity = new Map<string, number>();
  const lineOfSerialNumber = new Map<string, number>();
  const rows = createReadStream(file).pipe(
    parse({ bom: true, columns: checkColumns, info: true, max_record_size: 10_000 }),
  );
  try {
    for await (const { record, info } of rows as AsyncIterable<{
      record: Record<string, string>;
      info: { lines: number };
    }>) {
      const line = info.lines;
      const unit = readImportRow(record, line, { allowWeak });
      if (!unit.ok) {
        mistakes.push(...unit.error.map((mistake) => `line ${line}: ${mistake}`));
        continue;
      }
      const { identity, serialNumber } = unit.value;
      const first = lineOfIdentity.get(identity);
      if (first !== undefined) mistakes.push(`line ${line}: identity: stands in line ${first} already`);
      const other = oneProject ? lineOfSerialNumber.get(serialNumber) : undefined;
      if (other !== undefined) mistakes.push(`line ${line}: serial_number: stands in line ${other} already`);
      lineOfIdentity.set(identity, line);
      lineOfSerialNumber.set(serialNumber, line);
      units.push(unit.value);
    }
  } catch (fault) {
    throw fault instanceof CliMistake ? fault : new CliMistake(`${file}: ${(fault as Error).message}`);
  }
  if (mistakes.length > 0) throw new CliMistake(`${file}: nothing was imported.\n${firstOf(mistakes)}`);
  if (units.length === 0) throw new CliMistake(`${file}: there is no charge point in it`);
  return units;
}

/** As many lines as anybody reads. */
export const firstOf = (lines: readonly string[]): string =>
  [...lines.slice(0, MAX_SHOWN), ...(lines.length > MAX_SHOWN ? [`… and ${lines.length - MAX_SHOWN} more`] : [])].join(
    "\n",
  );

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
