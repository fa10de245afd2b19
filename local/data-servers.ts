import { mkdirSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { FOLDERS } from "./folders.ts";
import { postgresBinaries } from "./postgres-binaries.ts";
import { postgresHome } from "./postgres-home.ts";
import { startPostgres, type PostgresServer } from "./postgres-server.ts";
import { redisProgram } from "./redis-binary.ts";
import { startRedis, type RedisServer } from "./redis-server.ts";
import { makeRoom } from "./supervisor.ts";
import { unprivilegedUser } from "./unprivileged-user.ts";

const DATABASE = "dynamo";

/**
 * The embedded Postgres, with our database in it. Its data is where it was on the last start.
 *
 * @param port the one it had before it died; without it any free one
 */
export async function startEmbeddedPostgres(
  password: string,
  port?: number,
): Promise<PostgresServer & { databaseUrl: string }> {
  const runAs = unprivilegedUser();
  const home = postgresHome(FOLDERS.local, runAs, FOLDERS.outside);
  const logFile = join(FOLDERS.logs, "postgres.log");
  makeRoom(logFile);
  const server = await startPostgres({
    binaries: postgresBinaries(runAs, join(home, "binaries")),
    dataDirectory: join(home, "data"),
    logFile,
    password,
    runAs,
    parameters: { max_connections: "200" },
    ...(port !== undefined && { port }),
  });
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  try {
    const { rowCount } = await client.query("select 1 from pg_database where datname = $1", [DATABASE]);
    if (!rowCount) await client.query(`create database ${DATABASE}`);
  } finally {
    await client.end();
  }
  return { ...server, databaseUrl: server.url.replace(/\/postgres$/, `/${DATABASE}`) };
}

/** The embedded Redis, every write on disk within a second. @param port as for Postgres */
export async function startEmbeddedRedis(
  password: string,
  say: (line: string) => void,
  port?: number,
): Promise<RedisServer> {
  mkdirSync(FOLDERS.tools, { recursive: true });
  const logFile = join(FOLDERS.logs, "redis.log");
  makeRoom(logFile);
  return startRedis({
    program: await redisProgram(FOLDERS.tools, say),
    dataDirectory: FOLDERS.redisData,
    logFile,
    appendOnly: true,
    password,
    ...(port !== undefined && { port }),
  });
}
