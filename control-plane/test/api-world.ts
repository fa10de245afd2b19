import { generateKeyPairSync } from "node:crypto";
import { connectionReady, connectRedis } from "@dynamo-csms/proto/process/redis-connection";
import { unseal } from "@dynamo-csms/proto/sealed-secret";
import { selfSigned } from "./self-signed.ts";
import type { Redis } from "ioredis";
import { pino } from "pino";
import { Registry } from "prom-client";
import { openOrm, type Sql, sqlOn } from "../database.ts";
import { SCOPES, type Scope } from "../http/route.ts";
import { newId } from "../ids.ts";
import { mailContext } from "../mail/queue-mail.ts";
import { createApiKey } from "../organizations/create-api-key.ts";
import { type Api, composeApi } from "../processes/api/compose.ts";
import { type ApiConfig, readConfig } from "../processes/api/config.ts";
import { ENTITIES } from "../processes/api/entities.ts";
import { createOwnDatabase, type OwnDatabase } from "./own-database.ts";

export interface Answer {
  status: number;
  headers: Headers;
  /** Parsed JSON, or the text of anything else. */
  // oxlint-disable-next-line no-explicit-any -- tests look into answers and fail when these are not as expected
  body: any;
}

export interface Ask {
  /** An access token or API key, sent as Bearer. */
  as?: string | undefined;
  body?: unknown;
  headers?: Record<string, string>;
}

export const SIGN_UP = {
  email: "alex@acme-ev-installs.com",
  password: "your-secure-password",
  full_name: "Alex Technician",
  phone: "+447700900123",
  company: "Acme EV Installations",
};

/** RSA keys take long to make; tests need them to be keys, not to be secret. */
const keyPem = generateKeyPairSync("rsa", { modulusLength: 2048 })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString();

/**
 * The API process's parts over a database of their own, listening on a free port.
 * @param overrides of environment variables. @param postgresUrl another server than the test run's.
 */
export async function startApiWorld(overrides: Record<string, string> = {}, postgresUrl?: string) {
  const database: OwnDatabase = await createOwnDatabase(postgresUrl);
  const often = "100000/60";
  const env = {
    DATABASE_URL: database.url,
    REDIS_URL: process.env["TEST_REDIS_URL"],
    SECRETS_KEY: Buffer.alloc(32, 7).toString("base64"),
    STATION_PEPPERS: `p1:${Buffer.alloc(32, 9).toString("base64")}`,
    PUBLIC_API_URL: "https://api.dynamo-csms.com",
    PUBLIC_OCPP_URL: "wss://ocpp.dynamo-csms.com",
    JWT_SIGNING_KEY: keyPem,
    PDF_SIGNING_KEY: keyPem,
    PDF_SIGNING_CERT: await selfSigned(keyPem),
    API_PORT: "0",
    BODY_DEADLINE_MS: "1000",
    RATE_LIMIT_LOGIN: often,
    RATE_LIMIT_SIGNUP: often,
    RATE_LIMIT_MAIL: often,
    RATE_LIMIT_LOGIN_ACCOUNT: often,
    RATE_LIMIT_MAIL_ACCOUNT: often,
    ...overrides,
  };
  const config: ApiConfig = readConfig(env, () => "");
  const log = pino({ level: process.env["TEST_LOG_LEVEL"] ?? "silent" });
  const orm = await openOrm(database.url, ENTITIES, 10);
  const redis = connectRedis(config.redis, "commands", { connectionName: "test", log });
  const subscriber = connectRedis(config.redis, "subscriber", { connectionName: "test", log });
  await Promise.all([connectionReady(redis), connectionReady(subscriber)]);
  const registry = new Registry();
  const api: Api = await composeApi(config, { orm, pool: database.pool, redis, subscriber }, registry, log);
  const port = await api.server.listen(0, "127.0.0.1");
  await api.start();
  const url = `http://127.0.0.1:${port}`;
  const sql: Sql = sqlOn(database.pool);

  async function ask(method: string, path: string, { as, body, headers = {} }: Ask = {}): Promise<Answer> {
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(as === undefined ? {} : { authorization: `Bearer ${as}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.includes("json") ?? false;
    return {
      status: response.status,
      headers: response.headers,
      body: isJson && text !== "" ? JSON.parse(text) : text,
    };
  }

  return {
    url,
    api,
    config,
    env,
    pool: database.pool,
    sql,
    redis: redis as Redis,
    ask,
    /** The mails of this template to this address, newest first, their links included. */
    async mailsTo(recipient: string, template: string): Promise<Record<string, string>[]> {
      const mails = await sql.query<{ id: string; data: object; sealed_data: string | null }>(
        `select id, data, sealed_data from mails where recipient = $1 and template = $2 order by created_at desc`,
        [recipient, template],
      );
      return mails.map(({ id, data, sealed_data }) => ({
        ...data,
        ...(sealed_data === null ? {} : JSON.parse(unseal(config.secretsKey, mailContext(id), sealed_data))),
      }));
    },
    async mailTo(recipient: string, template: string): Promise<Record<string, string> | undefined> {
      return (await this.mailsTo(recipient, template))[0];
    },
    /** An organisation with a key that has these scopes. */
    async organization(scopes: readonly Scope[] = SCOPES): Promise<{ orgId: string; key: string; keyId: string }> {
      const orgId = newId("org");
      await sql.query(
        "insert into organizations (id, name, contact_email) values ($1, 'ChargeCo', 'ops@example.org')",
        [orgId],
      );
      const { key, id } = await createApiKey(orm.em.fork(), { orgId, name: "test", scopes });
      return { orgId, key, keyId: id };
    },
    /** A verified installer who is logged in. */
    async installer(
      email = `${newId("ins")}@example.org`,
    ): Promise<{ installerId: string; token: string; email: string }> {
      await ask("POST", "/api/v1/installer/signup", { body: { ...SIGN_UP, email } });
      const { url: link } = (await this.mailTo(email, "verify_email")) as { url: string };
      await ask("GET", link.slice(config.publicApiUrl.length));
      const { status, body } = await ask("POST", "/api/v1/installer/login", {
        body: { email, password: SIGN_UP.password },
      });
      if (status !== 200) throw new Error(`the installer could not log in: ${status} ${JSON.stringify(body)}`);
      return { installerId: body.installer_id, token: body.access_token, email };
    },
    /** A project of the organisation with the installer assigned to it. */
    async project(key: string, installerId?: string): Promise<string> {
      const { body } = await ask("POST", "/api/v1/projects", {
        as: key,
        body: { name: "Riverside Business Park — Phase 1", site_address: "Unit 12", charge_points_expected: 6 },
      });
      if (installerId !== undefined)
        await ask("POST", `/api/v1/projects/${body.project_id}/installers`, {
          as: key,
          body: { installer_id: installerId },
        });
      return body.project_id;
    },
    async close(): Promise<void> {
      await api.server.close();
      await api.stop();
      redis.disconnect();
      subscriber.disconnect();
      await orm.close();
      await database.drop();
    },
  };
}

export type ApiWorld = Awaited<ReturnType<typeof startApiWorld>>;
