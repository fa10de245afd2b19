import { BadConfiguration } from "@dynamo-csms/proto/process/bad-configuration";
import { type Environment, EnvironmentReader } from "@dynamo-csms/proto/process/environment";

/** What a person may set before `npm start`. Everything else in the environment is passed on to the processes as it is. */
export interface StackConfig {
  apiPort: number;
  gatewayPorts: number[];
  mailPort: number;
  /** Set: the embedded one is not started. */
  databaseUrl: string | undefined;
  redisUrl: string | undefined;
  smtpUrl: string | undefined;
  publicApiUrl: string;
  publicOcppUrl: string;
  firstOrganisation: { name: string; contactEmail: string };
}

/** Reads the environment once. Throws BadConfiguration with every mistake. */
export function readStackConfig(env: Environment): StackConfig {
  const read = new EnvironmentReader(env, () => "");
  const url = (name: string, protocols: string[]) =>
    read.parsed(name, read.text(name), (text) => {
      if (URL.canParse(text) && protocols.includes(new URL(text).protocol)) return text;
      throw new Error(`want a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(" or ")}`);
    });

  const apiPort = read.integer("API_PORT", 3000, 1, 65_535);
  const mailPort = read.integer("MAIL_PORT", 1080, 1, 65_535);
  const gatewayPorts = read.parsed("GATEWAY_PORTS", read.text("GATEWAY_PORTS") ?? "9000,9001", parsePorts) ?? [];
  const all = [apiPort, mailPort, ...gatewayPorts];
  if (new Set(all).size < all.length) read.mistakes.push("API_PORT, GATEWAY_PORTS and MAIL_PORT: the same port twice");

  const config: StackConfig = {
    apiPort,
    gatewayPorts,
    mailPort,
    databaseUrl: url("DATABASE_URL", ["postgres:", "postgresql:"]),
    redisUrl: read.text("REDIS_URL"), // a URL, or a list of cluster nodes: the processes check it
    smtpUrl: url("SMTP_URL", ["smtp:", "smtps:"]),
    publicApiUrl: url("PUBLIC_API_URL", ["http:", "https:"]) ?? `http://localhost:${apiPort}`,
    publicOcppUrl: url("PUBLIC_OCPP_URL", ["ws:", "wss:"]) ?? `ws://localhost:${gatewayPorts[0]}`,
    firstOrganisation: {
      name: read.text("FIRST_ORG_NAME") ?? "First Organisation",
      contactEmail: read.text("FIRST_ORG_CONTACT_EMAIL") ?? "operations@cpo.example",
    },
  };
  if (read.mistakes.length > 0) throw new BadConfiguration(read.mistakes);
  return config;
}

function parsePorts(text: string): number[] {
  return text.split(",").map((part) => {
    const port = Number(part);
    if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
    throw new Error(`${part.trim()}: want ports from 1 to 65535, separated by commas`);
  });
}
