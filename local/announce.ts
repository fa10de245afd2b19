import { relative } from "node:path";
import type { Credentials } from "./first-organisation.ts";
import { FOLDERS } from "./folders.ts";
import type { Supervised } from "./supervisor.ts";

/** What a person wants to know when everything runs: where it is, and how to go on. */
export function announce(
  credentials: Credentials,
  keyIsNew: boolean,
  processes: Supervised[],
  howToEnd: string,
): string {
  const rows: [string, string][] = [
    ["REST API, docs", `${credentials.api_url}  (${credentials.api_url}/docs)`],
    ["OCPP", credentials.ocpp_urls.map((url) => `${url}/ocpp/{1.6|2.0.1|2.1}/{charge_point_id}`).join("\n")],
    ["mails", credentials.mail_url ?? "through SMTP_URL"],
    ["Postgres", credentials.postgres_url],
    ["Redis", credentials.redis_url],
    ...processes.map(({ name, ready }): [string, string] => [
      name,
      `health and metrics http://127.0.0.1:${ready.internalPort}/readyz /metrics`,
    ]),
    ["logs", relative(process.cwd(), FOLDERS.logs)],
    ["organisation", credentials.org_id],
    ["API key", apiKey(credentials, keyIsNew)],
  ];
  const width = Math.max(...rows.map(([label]) => label.length)) + 2;
  const lines = rows.flatMap(([label, value]) =>
    value.split("\n").map((text, index) => `  ${(index === 0 ? label : "").padEnd(width)}${text}`),
  );
  return `\nDynamo CSMS is running.\n\n${lines.join("\n")}\n\n  try it: npm run demo      end it: ${howToEnd}      start afresh: npm run reset\n`;
}

function apiKey(credentials: Credentials, isNew: boolean): string {
  const file = relative(process.cwd(), FOLDERS.credentials);
  if (isNew) return `${credentials.api_key}  (printed this once; kept in ${file})`;
  if (credentials.api_key !== undefined) return `in ${file}`;
  return "not known here: the organisation was made elsewhere. npm run cli -- --help says how to make another key";
}
