import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { badEnvelopes, badFields, type BadBody } from "./bad-bodies.ts";
import { badTokens } from "./bad-tokens.ts";
import type { Operation } from "./openapi-operations.ts";
import { sweep } from "./rest-sweep.ts";
import { credentials, expecting, startSweepWorld, type SweepWorld } from "./sweep-world.ts";

let world: SweepWorld;
beforeAll(async () => {
  world = await startSweepWorld();
});
afterAll(() => world?.close());

const isGuarded = (operation: Operation) => operation.access !== "public";

describe("credentials", () => {
  test("[E1] [E3] every guarded operation refuses every bad one with 401 and its own code", async () => {
    const tokens = badTokens(world.owner.token, world.signingKey);
    expect(
      (
        await fetch(`${world.cluster.apiUrl}/api/v1/installer/me`, {
          headers: { authorization: `Bearer ${tokens.good}` },
        })
      ).status,
    ).toBe(200);
    const cases = world.operations
      .filter(isGuarded)
      .flatMap((operation) => tokens.bad.map((bad) => ({ operation, bad })));
    expect(cases.length).toBeGreaterThan(400);
    await sweep(cases, async ({ operation, bad }) => {
      const answer = await world.ask(
        operation,
        world.pathOf(operation),
        bad.authorization === undefined ? {} : { authorization: bad.authorization },
      );
      const code = (JSON.parse(answer.text) as { code?: string }).code;
      const wrong = answer.status === 401 && code === bad.code ? [] : [`${answer.status} ${code}, not 401 ${bad.code}`];
      const challenge = (answer.headers.get("www-authenticate") ?? "").startsWith("Bearer") ? [] : ["no challenge"];
      return expecting(`${operation.id}, ${bad.what}`, [
        ...wrong,
        ...challenge,
        ...world.complaints(answer, operation),
      ]);
    });
  });

  test("[E3] every guarded operation refuses the other kind of caller with 403", async () => {
    await sweep(world.operations.filter(isGuarded), async (operation) => {
      const authorization = `Bearer ${operation.access === "installer" ? world.owner.apiKey : world.owner.token}`;
      const answer = await world.ask(operation, world.pathOf(operation), { authorization });
      return expecting(operation.id, [
        ...(answer.status === 403 ? [] : [`${answer.status}`]),
        ...world.complaints(answer, operation),
      ]);
    });
  });
});

describe("bodies", () => {
  const check = (operation: Operation, bad: BadBody) => async (): Promise<string[]> => {
    const type: Record<string, string> = bad.contentType === undefined ? {} : { "content-type": bad.contentType };
    const answer = await world.ask(
      operation,
      world.pathOf(operation),
      { ...credentials(operation, world.owner), ...type, ...bad.headers },
      bad.body,
    );
    const problem = JSON.parse(answer.text) as { code?: string; errors?: { pointer: string }[] };
    const fits = answer.status === bad.status && problem.code === bad.code;
    const places = (problem.errors ?? []).map(({ pointer }) => pointer);
    const placed =
      bad.pointer === undefined || places.some((place) => place === bad.pointer || place.startsWith(`${bad.pointer}/`));
    return expecting(`${operation.id}, ${bad.what}`, [
      ...(fits ? [] : [`${answer.status} ${problem.code}, not ${bad.status} ${bad.code}`]),
      ...(placed ? [] : [`errors at ${places.join()}, not ${bad.pointer}`]),
      ...world.complaints(answer, operation),
    ]);
  };

  test("[E4] [E9] every operation with a body refuses every broken one", async () => {
    const cases = world.operations.flatMap((operation) =>
      operation.body === undefined ? [] : badEnvelopes(operation.body.example).map((bad) => check(operation, bad)),
    );
    expect(cases.length).toBeGreaterThan(200);
    await sweep(cases, (one) => one());
  });

  test("every field refuses every other type and what cannot be stored, by its place", async () => {
    const cases = world.operations.flatMap((operation) => badFields(operation).map((bad) => check(operation, bad)));
    expect(cases.length).toBeGreaterThan(300);
    await sweep(cases, (one) => one());
  });

  test("an operation without a body says so when it gets one", async () => {
    const bodiless = world.operations.filter(({ body, method }) => body === undefined && method !== "GET");
    const bad: BadBody = {
      what: "a body",
      body: '{"nonsense":1}',
      contentType: "application/json",
      status: 422,
      code: "validation_failed",
    };
    await sweep(
      bodiless.map((operation) => check(operation, bad)),
      (one) => one(),
    );
  });
});
