import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sweep } from "./rest-sweep.ts";
import { credentials, expecting, startSweepWorld, type SweepWorld } from "./sweep-world.ts";
import { SECRET } from "./two-organizations.ts";

let world: SweepWorld;
beforeAll(async () => {
  world = await startSweepWorld();
});
afterAll(() => world?.close());

describe("addresses", () => {
  test("an unknown query parameter is refused everywhere by its name", async () => {
    await sweep(world.operations, async (operation) => {
      const answer = await world.ask(
        operation,
        `${world.pathOf(operation)}?nonsense=1`,
        credentials(operation, world.owner),
      );
      const named =
        answer.status === 400 && answer.text.includes("nonsense")
          ? []
          : [`${answer.status} ${answer.text.slice(0, 200)}`];
      return expecting(operation.id, [...named, ...world.complaints(answer, operation)]);
    });
  });

  test("[E8] known query parameters survive anything that can be put into them", async () => {
    const values = [
      "",
      "%00",
      "%ED%A0%80",
      "1e309",
      "-1",
      "99999999999999999999",
      "a%0D%0Ab",
      "'%20or%201=1--",
      "%F0%9F%94%8C",
      "x".repeat(4_000),
      "[]",
      "__proto__",
      "0000-01-01T00:00:00Z",
    ];
    const cases = world.operations.flatMap((operation) =>
      operation.query.flatMap(({ name }) => values.map((value) => ({ operation, name, value }))),
    );
    expect(cases.length).toBeGreaterThan(200);
    await sweep(cases, async ({ operation, name, value }) => {
      const answer = await world.ask(
        operation,
        `${world.pathOf(operation)}?${name}=${value}`,
        credentials(operation, world.owner),
      );
      const isPage = (answer.headers.get("content-type") ?? "").startsWith("text/html");
      const found = answer.status < 300 || isPage ? [] : world.complaints(answer, operation);
      return expecting(
        `${operation.id} ?${name}=${value.slice(0, 30)}`,
        answer.status >= 500 ? [`status ${answer.status}`] : found,
      );
    });
  });

  test("ids that are none are not found", async () => {
    const ids = [
      "x",
      "%00",
      "a%00b",
      "..",
      "%2e%2e%2f",
      "a%2Fb",
      "%F0%9F%94%8C",
      "x".repeat(3_000),
      "__proto__",
      "*",
      "1;drop table stations",
      "CP_%25",
    ];
    const cases = world.operations.flatMap((operation) =>
      operation.pathParameters.flatMap((name) => ids.map((id) => ({ operation, name, id }))),
    );
    await sweep(cases, async ({ operation, name, id }) => {
      // Put in as it is: fillPath would encode it once more.
      const path = world.pathOf(operation, { [name]: "PLACE" }).replace("PLACE", () => id);
      const headers = {
        ...credentials(operation, world.owner),
        ...(operation.body === undefined ? {} : { "content-type": "application/json" }),
      };
      const answer = await world.ask(
        operation,
        path,
        headers,
        operation.body && JSON.stringify(operation.body.example),
      );
      // `..` is taken out of the path before it is sent: what is left is another address, which may not have this method.
      const isRefused =
        [404, 405].includes(answer.status) ||
        (operation.access === "public" && [401, 400].includes(answer.status)) ||
        id === "..";
      return expecting(`${operation.id} ${name}=${id.slice(0, 30)}`, [
        ...(isRefused ? [] : [`status ${answer.status}`]),
        ...(answer.status >= 300
          ? world.complaints(answer, { ...operation, statuses: [...operation.statuses, answer.status] })
          : []),
      ]);
    });
  });
});

describe("other people's things", () => {
  test("[E3] are not found, by any operation with their ids, for another organisation, its installer, or an installer of another project", async () => {
    const aimed = world.operations.filter(({ access, pathParameters, body }) => {
      const named = [...pathParameters, ...Object.keys(body?.schema.properties ?? {})];
      return access !== "public" && named.some((name) => name in world.owner.ids && name !== "installer_id");
    });
    expect(aimed.length).toBeGreaterThan(25);
    const cases = aimed.flatMap((operation) =>
      [world.stranger, ...(operation.access === "installer" ? [world.colleague] : [])].map((as) => ({ operation, as })),
    );
    const before = await whatTheOwnerHas();
    await sweep(cases, async ({ operation, as }) => {
      const { example = {} } = operation.body ?? {};
      const aimedAt = Object.fromEntries(
        Object.entries(example).map(([name, value]) => [name, world.owner.ids[name] ?? value]),
      );
      const headers = {
        ...credentials(operation, as),
        ...(operation.body === undefined ? {} : { "content-type": "application/json" }),
      };
      const answer = await world.ask(
        operation,
        world.pathOf(operation),
        headers,
        operation.body && JSON.stringify(aimedAt),
      );
      return expecting(operation.id, [
        ...(answer.status === 404 ? [] : [`status ${answer.status}: ${answer.text.slice(0, 200)}`]),
        ...(answer.text.includes(SECRET) ? [`tells ${SECRET}`] : []),
        ...world.complaints(answer, operation),
      ]);
    });
    expect(await whatTheOwnerHas()).toEqual(before);
  });

  test("[E3] are in no list", async () => {
    const lists = world.operations.filter(
      ({ access, method, pathParameters }) => access !== "public" && method === "GET" && pathParameters.length === 0,
    );
    expect(lists.length).toBeGreaterThan(4);
    await sweep(lists, async (operation) => {
      const filters = operation.query
        .filter(({ name }) => name in world.owner.ids)
        .map(({ name }) => `${name}=${world.owner.ids[name]}`);
      const seen = await Promise.all(
        ["", ...filters].map((query) =>
          world.ask(operation, `${operation.path}?${query}`.replace(/\?$/, ""), credentials(operation, world.stranger)),
        ),
      );
      // A stranger's own audit log names the ids that the stranger tried; what is behind them is another thing.
      const secrets = operation.id === "listAuditLog" ? [SECRET] : [SECRET, ...Object.values(world.owner.ids)];
      const leaks = (text: string) => secrets.filter((secret) => text.includes(secret));
      return expecting(
        operation.id,
        seen.flatMap((answer) => [
          ...(answer.status === 200 ? [] : [`status ${answer.status}`]),
          ...leaks(answer.text),
        ]),
      );
    });
  });
});

/** What an attack would change. */
async function whatTheOwnerHas(): Promise<unknown[]> {
  const { project_id, charge_point_id, key_id, endpoint_id } = world.owner.ids;
  return world.evidence.sql(
    `select (select to_jsonb(p) from projects p where id = $1) as project, (select to_jsonb(s) from stations s where charge_point_id = $2) as station,
            (select to_jsonb(k) from api_keys k where id = $3) as key, (select to_jsonb(w) from webhook_endpoints w where id = $4) as endpoint,
            (select count(*)::int from commands c join stations s on s.id = c.station_id where s.charge_point_id = $2) as commands,
            (select count(*)::int from stations where project_id = $1) as stations,
            (select count(*)::int from project_installers where project_id = $1) as installers`,
    [project_id, charge_point_id, key_id, endpoint_id],
  );
}
