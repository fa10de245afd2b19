import { expect, test } from "vitest";
import { SIGN_UP, startApiWorld } from "./api-world.ts";

test("too many requests are refused with the wait, and the limit is told before", async () => {
  const small = await startApiWorld({
    RATE_LIMIT_SIGNUP: "100000/60",
    RATE_LIMIT_LOGIN: "3/60",
    RATE_LIMIT_LOGIN_ACCOUNT: "100/60",
    REDIS_URL: `${process.env["TEST_REDIS_URL"]}/9`,
  });
  try {
    await small.redis.flushdb();
    const logIn = () =>
      small.ask("POST", "/api/v1/installer/login", { body: { email: "x@example.org", password: "wrong-password" } });
    const first = await logIn();
    expect([first.status, first.headers.get("ratelimit-policy"), first.headers.get("ratelimit")]).toEqual([
      401,
      '"login";q=3;w=60',
      expect.stringMatching(/^"login";r=2;t=\d+$/),
    ]);
    await logIn();
    await logIn();
    const refused = await logIn();
    expect(refused).toMatchObject({ status: 429, body: { code: "rate_limited" } });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  } finally {
    await small.close();
  }
});

test("[E18] a bulk command counts as one request for each charge point", async () => {
  const small = await startApiWorld({ RATE_LIMIT_COMMAND: "10/60", REDIS_URL: `${process.env["TEST_REDIS_URL"]}/9` });
  try {
    await small.redis.flushdb();
    const bulk = async (key: string, ids: string[]) => {
      const { status, headers } = await small.ask("POST", "/api/v1/cpo/commands/bulk", {
        as: key,
        body: { charge_point_ids: ids, command: "soft_reset" },
      });
      return `${status} ${headers.get("ratelimit")?.replace(/;t=.*/, "")}`;
    };
    const { key } = await small.organization();
    expect(await bulk(key, ["cp_1", "cp_2", "cp_3", "cp_3"])).toBe('200 "command";r=7');
    expect(
      await bulk(
        key,
        Array.from({ length: 7 }, (_, n) => `cp_${n}`),
      ),
    ).toBe('200 "command";r=0');
    expect(await bulk(key, ["cp_1"])).toBe('429 "command";r=0');
    // More than the limit allows at all: nothing but itself fits into it.
    const { key: another } = await small.organization();
    expect(
      await bulk(
        another,
        Array.from({ length: 50 }, (_, n) => `cp_${n}`),
      ),
    ).toBe('200 "command";r=0');
    expect(await bulk(another, ["cp_1"])).toBe('429 "command";r=0');
  } finally {
    await small.close();
  }
});

test("[E7] guessing at one account ends from that address, whoever asks", async () => {
  const small = await startApiWorld({
    RATE_LIMIT_LOGIN_ACCOUNT: "3/60",
    REDIS_URL: `${process.env["TEST_REDIS_URL"]}/9`,
  });
  try {
    await small.redis.flushdb();
    const { email } = await small.installer();
    const logIn = (password: string) => small.ask("POST", "/api/v1/installer/login", { body: { email, password } });
    expect((await logIn("wrong-1")).status).toBe(401);
    expect((await logIn("wrong-2")).status).toBe(401);
    const refused = await logIn(SIGN_UP.password);
    expect(refused).toMatchObject({ status: 429, body: { code: "rate_limited" } });
    expect([refused.headers.get("ratelimit-policy"), refused.headers.get("ratelimit")]).toEqual([
      '"loginAccount";q=3;w=60',
      expect.stringMatching(/^"loginAccount";r=0;t=\d+$/),
    ]);
    expect(
      (
        await small.ask("POST", "/api/v1/installer/login", {
          body: { email: "other@example.org", password: "wrong-1" },
        })
      ).status,
    ).toBe(401);
  } finally {
    await small.close();
  }
});
