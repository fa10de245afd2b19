import { startTestPostgres, startTestRedis, type TestServer } from "./test-servers.ts";

/**
 * Starts one Redis and one Postgres for the whole test run, and tells the tests by TEST_REDIS_URL and
 * TEST_DATABASE_URL. Where these are set already, those servers are used instead and are left running.
 */
export async function setup(): Promise<() => Promise<void>> {
  const started: TestServer[] = [];
  const provide = async (name: string, start: () => Promise<TestServer>) => {
    if (process.env[name]) return;
    const server = await start();
    started.push(server);
    process.env[name] = server.url;
  };
  const outcomes = await Promise.allSettled([
    provide("TEST_REDIS_URL", () => startTestRedis()),
    provide("TEST_DATABASE_URL", () => startTestPostgres()),
  ]);
  const stop = async () => void (await Promise.all(started.map((server) => server.remove())));
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed) {
    await stop();
    throw failed.reason;
  }
  return stop;
}
