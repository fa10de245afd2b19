import { FAULTS } from "./faults.ts";
import { type Rule, RULES } from "./rules.ts";

/** Rules that tests are named after, and the page that says which tests show them. */
export interface Catalogue {
  /** Of the page, in `docs/`. */
  page: string;
  /** What stands above the rules. */
  head: string;
  rules: readonly Rule[];
}

/** Every catalogue there is. An id is in one of them. */
export const CATALOGUES: readonly Catalogue[] = [
  {
    page: "conformance.md",
    rules: RULES,
    head: `# Conformance

What this gateway is held to, rule by rule, and the tests that show it. The page is made by \`npm run generate:documents\` from
\`local/conformance/rules.ts\` and the titles of the tests; a test fails while it is not up to date.

The ids are ours. H is the handshake, F the framing, C and D what hostile or clumsy stations do; the others begin with the part of
OCPP-J that they are about: 1.2 passwords, 1.3 error codes, 1.4 registration, 1.5 liveness and sizes, 1.6 transactions, 1.7
connections that meet, 1.8 certificates and profiles.

Beside them \`npm run conformance\` plays every action of every version in both directions over the wire, and compares what comes
back with the files in \`local/conformance/golden/\`; \`ocpp-rpc\`, \`ocpp-ws-cli\` and \`typed-ocpp\`, which others wrote, look on.
`,
  },
  {
    page: "fault-catalogue.md",
    rules: FAULTS,
    head: `# Fault catalogue

What may go wrong or be done on purpose, what must come of it, and the tests that show it. The page is made by
\`npm run generate:documents\` from \`local/conformance/faults.ts\` and the titles of the tests; a test fails while it is not up to
date.

The ids are ours. I is what is promised, come what may; A is what happens to processes, servers, networks and clocks, B what
connections do, E the API with its mails and webhooks. Where it says *played*, \`npm run test:faults\` does it to a whole system
with a fleet at work ([reliability.md](reliability.md)). What hostile stations do (C and D) stands in
[conformance.md](conformance.md).
`,
  },
];
