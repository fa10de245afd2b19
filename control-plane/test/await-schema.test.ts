import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openOrm } from "../database.ts";
import { migrate } from "../processes/migrate/migrate.ts";
import { awaitSchema } from "../processes/wait/await-schema.ts";
import { createEmptyDatabase, type OwnDatabase } from "./own-database.ts";

const log = pino({ level: "silent" });
let database: OwnDatabase;
beforeEach(async () => (database = await createEmptyDatabase()));
afterEach(() => database.drop());

/** Waits as a pod does, but asks more often; `asked` counts the looks that were not enough. */
function wait(databaseUrl = database.url) {
  const looks = { asked: 0, over: false, ended: false };
  const pause = async (ms: number) => {
    looks.asked += 1;
    if (looks.ended) throw new Error("ended by the test");
    await sleep(Math.min(ms, 20));
  };
  const done = awaitSchema({ databaseUrl, pause, log }).finally(() => (looks.over = true));
  return { looks, done };
}

test("waits while nobody has migrated, while migrations are missing, and no longer", async () => {
  const { looks, done } = wait();
  while (looks.asked < 2) await sleep(5);
  const orm = await openOrm(database.url, [], 1);
  await orm.migrator.up({ to: "0001-initial" });
  await orm.close();
  const soFar = looks.asked;
  while (looks.asked < soFar + 2) await sleep(5);
  expect(looks.over).toBe(false);
  await migrate({ databaseUrl: database.url, waitMs: 0, log });
  await done;
});

test("a newer schema is enough, so that a release can be gone back to", async () => {
  await migrate({ databaseUrl: database.url, waitMs: 0, log });
  await database.pool.query("insert into mikro_orm_migrations (name, executed_at) values ('9999-of-a-newer', now())");
  await wait().done;
});

test("a Postgres that is away is waited for; what waiting does not cure ends it", async () => {
  const away = new URL(database.url);
  away.port = "1";
  const { looks, done } = wait(away.href);
  while (looks.asked < 3) await sleep(5);
  expect(looks.over).toBe(false);
  looks.ended = true;
  await expect(done).rejects.toThrow("ended by the test");

  const wrong = new URL(database.url);
  wrong.pathname = "/no-such-database";
  await expect(wait(wrong.href).done).rejects.toMatchObject({ code: "3D000" });
});
