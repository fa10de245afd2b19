import { afterAll, beforeAll, expect, test } from "vitest";
import { hasAuditState } from "../audit/targets.ts";
import { type ApiWorld, startApiWorld } from "./api-world.ts";

let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld();
});
afterAll(() => world.close());

test("whatever an acting route names in its path, the audit log knows how to show its state", () => {
  const acting = world.api.routes.filter((route) => route.audited ?? route.method !== "get");
  const unknown = acting.flatMap(({ operationId, path }) => {
    const kind = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string).at(-1);
    return kind === undefined || hasAuditState(kind) ? [] : [{ operationId, kind }];
  });
  expect(unknown).toEqual([]);
});
