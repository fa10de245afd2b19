// The command line: what an administrator does without the REST API. Results go to stdout, the rest to stderr.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { BadConfiguration, describeMistakes } from "@dynamo-csms/proto/process/bad-configuration";
import { auditedCommand } from "./audited-command.ts";
import { bootstrap } from "./bootstrap.ts";
import { CliMistake } from "./cli-mistake.ts";
import { listUnknownAttempts } from "./connection-attempts.ts";
import { createKey } from "./create-key.ts";
import { discardLetter, listLetters, replayLetters, showLetter } from "./dead-letters.ts";
import { doctor } from "./doctor.ts";
import { generateChargePoints } from "./generate-charge-points.ts";
import { importFleet } from "./import-charge-points.ts";
import { addIdToken, listTokens } from "./id-tokens.ts";
import { acknowledgeLaneGaps, listLaneGaps, listLanes, listNodes } from "./lanes.ts";
import { rebuildStationRegistry } from "./rebuild-registry.ts";
import { skipTransactionIds } from "./skip-transaction-ids.ts";

const USAGE = `Usage:
  cli bootstrap --name NAME --contact-email ADDRESS
      Makes the first organisation and its API key, and prints {"org_id","api_key"}.
      When there is an organisation already it prints {"org_id"} alone.
  cli api-keys create --name NAME [--org ORG_ID] [--scopes a,b] [--expires-at TIME]
      Makes an API key (all scopes by default) and prints {"id","org_id","api_key"}.
  cli charge-points generate --count N --ocpp 1.6|2.0.1|2.1 --out FILE [--accepted] [--org ORG_ID] [--project PROJECT_ID]
      Registers N charge points and writes "charge_point_id,password" lines to FILE.
      With --accepted their registration is accepted already, as if they had booted before.
  cli charge-points import --file FILE --out FILE [--accepted] [--allow-weak] [--resume] [--org ORG_ID] [--project PROJECT_ID]
      Takes a fleet over with its identities and passwords. The CSV's first line names the columns; a file with a mistake
      imports nothing. --allow-weak takes passwords shorter than 16 bytes; --resume goes on with an import that was broken off.
  cli connection-attempts unknown
      Prints the last attempts to connect under ids that nobody has registered, one JSON object per line.
  cli dead-letters list [--status open|replayed|discarded|all] [--station IDENTITY] [--reason TEXT] [--since TIME] [--org ORG_ID]
      Prints what charge points were answered and could not be filed, newest first, one JSON object per line.
  cli dead-letters show --id ID
      Prints one with its frame.
  cli dead-letters replay --id ID | --all [--station IDENTITY] [--reason TEXT] [--since TIME] [--org ORG_ID]
      Applies one or all that match once more, oldest first; prints those that still fail and {"applied","failing"}.
  cli dead-letters discard --id ID --why TEXT
      Gives one up.
  cli doctor [-o text|json]
      Says what is wrong with the deployment and what to do. Exit code 0: no problem was found.
  cli id-tokens add --token TOKEN [--org ORG_ID] [--status Accepted|Blocked|Expired|Invalid] [--expires-at TIME] [--group TOKEN] [--max-active N|unlimited]
      Adds an RFID card or other token that charge points may authorize with, or changes it, and prints it.
  cli id-tokens list [--org ORG_ID]
      Prints the tokens, one JSON object per line.
  cli lanes list [--all]
      Prints the lanes and how far each is applied, one JSON object per line; --all: the finished ones too.
  cli lanes gaps [--all]
      Prints the entries that lanes lost, one JSON object per run; --all: those that were acknowledged too.
  cli lanes acknowledge-gaps --lane LANE_ID --why TEXT
      Notes that somebody has seen to a lane's gaps.
  cli nodes list
      Prints the gateway nodes and their connections, one JSON object per line.
  cli registry rebuild
      Writes all stations into the gateways' registry again, after Redis lost its data, and prints {"stations"}.
  cli transaction-ids skip [--count N]
      Leaves 100000 (or N) transaction ids of OCPP 1.6 out behind the last one that is known, after Postgres came back
      from the snapshot of a disk, and prints {"skipped","next"}.
The organisation may be left out while there is only one. docs/cli.md has an example of each.`;

const options = {
  name: { type: "string" },
  "contact-email": { type: "string" },
  org: { type: "string" },
  project: { type: "string" },
  scopes: { type: "string" },
  "expires-at": { type: "string" },
  token: { type: "string" },
  status: { type: "string" },
  group: { type: "string" },
  "max-active": { type: "string" },
  count: { type: "string" },
  ocpp: { type: "string" },
  out: { type: "string" },
  file: { type: "string" },
  "allow-weak": { type: "boolean" },
  resume: { type: "boolean" },
  accepted: { type: "boolean" },
  id: { type: "string" },
  all: { type: "boolean" },
  station: { type: "string" },
  reason: { type: "string" },
  since: { type: "string" },
  why: { type: "string" },
  lane: { type: "string" },
  output: { type: "string", short: "o" },
  help: { type: "boolean" },
} as const;

const COMMANDS: Record<
  string,
  (flags: CliFlags, env: NodeJS.ProcessEnv, readFile: (path: string) => string) => Promise<void>
> = {
  bootstrap,
  "api-keys create": createKey,
  "charge-points generate": generateChargePoints,
  "charge-points import": importFleet,
  "connection-attempts unknown": listUnknownAttempts,
  "dead-letters list": listLetters,
  "dead-letters show": showLetter,
  "dead-letters replay": replayLetters,
  "dead-letters discard": discardLetter,
  doctor,
  "id-tokens add": addIdToken,
  "id-tokens list": listTokens,
  "lanes list": listLanes,
  "lanes gaps": listLaneGaps,
  "lanes acknowledge-gaps": acknowledgeLaneGaps,
  "nodes list": listNodes,
  "registry rebuild": rebuildStationRegistry,
  "transaction-ids skip": skipTransactionIds,
};

/** Commands that change nothing; all others stand in the audit log. */
const READING = new Set([
  "connection-attempts unknown",
  "dead-letters list",
  "dead-letters show",
  "doctor",
  "id-tokens list",
  "lanes list",
  "lanes gaps",
  "nodes list",
]);

export type CliFlags = ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>["values"];

try {
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const name = positionals.join(" ");
  const command = COMMANDS[name];
  if (values.help || command === undefined) {
    console.error(USAGE);
    process.exitCode = values.help ? 0 : 2;
  } else {
    const readFile = (path: string) => readFileSync(path, "utf8");
    const run = () => command(values, process.env, readFile);
    await (READING.has(name) ? run() : auditedCommand(name, values, process.env, readFile, run));
  }
} catch (fault) {
  // What the caller can put right is said in a line; a fault of ours with its stack.
  const isMistake =
    fault instanceof CliMistake || (fault as { code?: string }).code?.startsWith("ERR_PARSE_ARGS") === true;
  if (fault instanceof BadConfiguration) process.stderr.write(describeMistakes("cli", fault.mistakes));
  else console.error(isMistake ? (fault as Error).message : fault);
  process.exitCode = isMistake ? 2 : 1;
}
