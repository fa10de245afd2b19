import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { CONFORMANCE_VERSIONS } from "./play-conformance.ts";
import { readActionFacts, type ActionFacts } from "./read-action-tables.ts";

const BEGIN = "<!-- supported actions: made by npm run generate:documents -->";
const END = "<!-- end of supported actions -->";

const HEAD = `# Supported actions

Every action of OCPP 1.6 (with the security extension), 2.0.1 and 2.1 is there, in each direction that the version has for it.
This page is made of the tables that the processes go by (\`gateway/inbound/answers-<version>.ts\`,
\`control-plane/decisions/decision-tables.ts\`, \`control-plane/intake/dispatch-<version>.ts\`,
\`control-plane/commands/outcome-effects.ts\`) by \`npm run generate:documents\`; a test fails while it is not up to date.

Every message is checked against its schema, made durable, answered, and kept in the message log; Heartbeats are kept there only
with \`LOG_HEARTBEATS=true\`.
`;

const FROM = `
## From the charge point

Who answers: **gateway** at once, with the control plane up or down; **control plane** after a decision that is committed. *declined*: the
answer says no, in the message's own word for it. **effect**: it changes more than the message log. –: the version does not have it.
`;

const TO = `
## To the charge point

Sent by \`POST /api/v1/ocpp16/send_command\`, \`…/ocpp201/…\`, \`…/ocpp21/…\`; the answer is checked, and the command ends in one final
state. **effect**: how it ends is kept in the control plane as well, beyond the command itself.
`;

type Facts = Record<OcppVersion, ActionFacts[]>;

/** The text of docs/supported-actions.md. */
export async function supportedActionsPage(): Promise<string> {
  const facts = await readAll();
  const table = (cell: (one: ActionFacts) => string | undefined) => {
    const names = new Set(CONFORMANCE_VERSIONS.flatMap((version) => facts[version].map(({ action }) => action)));
    const rows = [...names].sort().flatMap((action) => {
      const cells = CONFORMANCE_VERSIONS.map((version) => {
        const one = facts[version].find((other) => other.action === action);
        return one === undefined ? undefined : cell(one);
      });
      return cells.every((text) => text === undefined)
        ? []
        : [`| ${action} | ${cells.map((text) => text ?? "–").join(" | ")} |`];
    });
    return [`| action | ${CONFORMANCE_VERSIONS.join(" | ")} |`, "|---|---|---|---|", ...rows].join("\n");
  };
  return `${HEAD}${FROM}\n${table(fromStation)}\n${TO}\n${table(toStation)}\n`;
}

/** README.md with its summary as it is now, between the two marks. Throws when they are not there. */
export async function readmeWithSummary(readme: string): Promise<string> {
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`README.md lacks the lines ${BEGIN} and ${END}`);
  return `${readme.slice(0, begin)}${BEGIN}\n${await summary()}\n${readme.slice(end)}`;
}

async function summary(): Promise<string> {
  const facts = await readAll();
  const row = (version: OcppVersion) => {
    const from = facts[version].flatMap(({ fromStation: one }) => one ?? []);
    const to = facts[version].flatMap(({ toStation: one }) => one ?? []);
    const declined = from.filter((one) => one.declined).length;
    const effects = from.filter((one) => one.hasEffect).length;
    return `| ${version} | ${from.length} | ${effects} | ${declined} | ${to.length} | ${to.filter((one) => one.hasEffect).length} |`;
  };
  return [
    "| OCPP | from charge points, answered | with an effect | declined | to charge points | with an effect |",
    "|---|---|---|---|---|---|",
    ...CONFORMANCE_VERSIONS.map(row),
    "",
    "Action by action: [docs/supported-actions.md](docs/supported-actions.md); rule by rule, with the tests:",
    "[docs/conformance.md](docs/conformance.md).",
  ].join("\n");
}

async function readAll(): Promise<Facts> {
  const entries = await Promise.all(
    CONFORMANCE_VERSIONS.map(async (version) => [version, await readActionFacts(version)] as const),
  );
  return Object.fromEntries(entries) as Facts;
}

function fromStation({ fromStation: one }: ActionFacts): string | undefined {
  if (one === undefined) return undefined;
  const who = {
    gateway: "gateway",
    "control plane": "control plane",
    both: "control plane, or gateway",
    nobody: "never answered (SEND)",
  }[one.answeredBy];
  return `${who}${one.declined ? ", *declined*" : ""}${one.hasEffect ? ", **effect**" : ""}`;
}

const toStation = ({ toStation: one }: ActionFacts): string | undefined =>
  one && (one.hasEffect ? "yes, **effect**" : "yes");
