import { parseArgs } from "node:util";

export interface BenchOptions {
  /** Ids of benches; undefined: all. */
  only: ReadonlySet<string> | undefined;
  short: boolean;
  repetitions: number;
  /** Where the rows are written as JSON; undefined: nowhere. */
  json: string | undefined;
  /** A page between whose markers the figures are written, whatever was measured; undefined: see main.ts. */
  page: string | undefined;
  help: boolean;
}

export const USAGE = `Usage: npm run bench -- [options]
  --only LIST       ids of benches, such as ocpp-1.6,handshake
  --short           less of everything, minutes in all: what every change must pass
  --repetitions N   how often each figure is measured; the median counts (5; --short: 1)
  --json FILE       writes the rows there
  --page FILE       writes the figures between the markers of this page, whatever was measured
  --help            this text, and the benches
A run of everything, not short, of five repetitions and more, writes the table of docs/performance.md.`;

/** Reads the command line. Throws with what is wrong. @param known the ids that there are */
export function readOptions(args: readonly string[], known: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      short: { type: "boolean", default: false },
      repetitions: { type: "string" },
      json: { type: "string" },
      page: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const only = values.only?.split(",");
  const unknown = only?.find((id) => !known.includes(id));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: want some of ${known.join(", ")}`);
  const repetitions = Number(values.repetitions ?? (values.short ? 1 : 5));
  if (!Number.isInteger(repetitions) || repetitions < 1)
    throw new Error(`--repetitions ${values.repetitions}: want a whole number from 1 on`);
  return {
    only: only === undefined ? undefined : new Set(only),
    short: values.short,
    repetitions,
    json: values.json,
    page: values.page,
    help: values.help,
  };
}
