// What compose.yaml runs once before the processes: secrets, schema, first organisation.
import { mkdirSync } from "node:fs";
import { ensureFirstOrganisation, migrate } from "../first-organisation.ts";
import { FOLDERS } from "../folders.ts";
import { ensureSecrets } from "../secrets.ts";
import { readStackConfig } from "../stack-config.ts";

mkdirSync(FOLDERS.logs, { recursive: true });
await ensureSecrets(FOLDERS.secrets);
await migrate(process.env);
const config = readStackConfig(process.env);
const where = {
  api_url: config.publicApiUrl,
  ocpp_urls: config.gatewayPorts.map((port) => `ws://localhost:${port}`),
  mail_url: `http://localhost:${config.mailPort}`,
  postgres_url: config.databaseUrl ?? "",
  redis_url: config.redisUrl ?? "",
};
const { credentials, isNew } = await ensureFirstOrganisation(config.firstOrganisation, where, process.env);
if (isNew)
  console.log(
    `organisation ${credentials.org_id}, API key ${credentials.api_key}: printed this once, kept in .local/credentials.json`,
  );
