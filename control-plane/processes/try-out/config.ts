import { parseArgs } from "node:util";
import type { Environment } from "@dynamo-csms/proto/process/environment";
import { ConfigReader } from "../../config-reader.ts";

export interface TryOutConfig {
  databaseUrl: string;
  /** Of the REST API, without trailing slash. */
  apiUrl: string;
  /** Up to the identity: `ws://gateway:9000/ocpp`. */
  ocppUrl: string;
  /** Whose charge point it is for a minute; the oldest organisation when not told. */
  orgId: string | undefined;
}

/** Reads environment and arguments once. Throws BadConfiguration with every mistake. */
export function readConfig(
  env: Environment,
  args: readonly string[],
  readFile: (path: string) => string,
): Readonly<TryOutConfig> {
  const read = new ConfigReader(env, readFile);
  const { values } = parseArgs({
    args: [...args],
    options: { api: { type: "string" }, ocpp: { type: "string" }, org: { type: "string" } },
  });
  const url = (flag: "api" | "ocpp", protocols: string[]) => {
    const text = values[flag] ?? "";
    if (!URL.canParse(text) || !protocols.includes(new URL(text).protocol))
      read.mistakes.push(`--${flag}: want a URL (${protocols.join(" or ")})`);
    return text.replace(/\/+$/, "");
  };
  return read.finish({
    databaseUrl: read.databaseUrl(),
    apiUrl: url("api", ["http:", "https:"]),
    ocppUrl: url("ocpp", ["ws:", "wss:"]),
    orgId: values.org,
  });
}
