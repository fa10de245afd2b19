// `npm run conformance`: plays the conformance suite over the wire, against real processes that it starts, or against a running
// node. Prints `N of N`, each failure, and ends with 0 only when all is well.

import { parseArgs } from "node:util";
import { isOcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { startCluster } from "../e2e/cluster.ts";
import { generateTarget } from "./generate-target.ts";
import { CONFORMANCE_VERSIONS, playConformance, type Target } from "./play-conformance.ts";

const USAGE = `npm run conformance -- [options]

  without options               starts everything, plays, and ends it
  --ocpp ws://host:9000         a running gateway node
  --api http://host:3000        its REST API
  --key dyn_…                   an API key that may send commands
  --station 1.6=cp_x:password   an accepted station of each version (three times)
  --update                      writes the golden files anew, to be reviewed
`;

const { values } = parseArgs({
  options: {
    ocpp: { type: "string" },
    api: { type: "string" },
    key: { type: "string" },
    station: { type: "string", multiple: true },
    update: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

function targetOf({ ocpp, api, key, station = [] }: typeof values): Target | undefined {
  if (ocpp === undefined && api === undefined && key === undefined && station.length === 0) return undefined;
  const stations: Partial<Target["stations"]> = {};
  for (const text of station) {
    const [, version = "", identity, password] = /^([\d.]+)=([^:]+):(.+)$/.exec(text) ?? [];
    if (isOcppVersion(version) && identity !== undefined && password !== undefined)
      stations[version] = { identity, password };
  }
  const complete = CONFORMANCE_VERSIONS.every((version) => stations[version] !== undefined);
  if (ocpp === undefined || api === undefined || key === undefined || !complete) {
    console.error(USAGE);
    process.exit(2);
  }
  // Complete, as was just seen.
  return { origin: ocpp, apiUrl: api, apiKey: key, stations: stations as Target["stations"] };
}

async function playAndTell(target: Target): Promise<boolean> {
  const { cases, passed, failures } = await playConformance(target, { update: values.update });
  for (const failure of failures) console.error(`  ${failure}`);
  console.log(`${passed} of ${cases}`);
  return failures.length === 0 && passed === cases;
}

if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const running = targetOf(values);
if (running !== undefined) process.exit((await playAndTell(running)) ? 0 : 1);
const cluster = await startCluster({ RATE_LIMIT_COMMAND: "1000000/60", RATE_LIMIT_READ: "1000000/60" });
let passed = false;
try {
  passed = await playAndTell(await generateTarget(cluster));
} finally {
  await cluster.close();
}
process.exit(passed ? 0 : 1);
