import type { z } from "zod";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiWorld, startApiWorld } from "./api-world.ts";
import { handoverSteps } from "./handover-steps.ts";

let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld();
});
afterAll(() => world.close());

/** What ends the installer's own session, or has nothing to do with a project. */
const OF_THE_ACCOUNT = new Set(["logOutInstaller", "closeInstallerAccount"]);

test("[E5] an installer who goes on after the handover gets 409 from every route that acts on the project, and changes nothing", async () => {
  const steps = handoverSteps(world);
  const { projectId, token, chargePointId } = await handedOver(steps);
  const rows = () =>
    world.sql.query(
      `select (select json_agg(s order by s.id) from stations s where project_id = $1) as stations,
              (select json_agg(v) from station_verifiers v join stations s on s.id = v.station_id where project_id = $1) as passwords,
              (select json_agg(c) from commissionings c where project_id = $1) as commissionings,
              (select json_agg(h) from handovers h where project_id = $1) as handovers`,
      [projectId],
    );
  const before = await rows();
  const acting = world.api.routes.filter(
    ({ access, method, operationId }) =>
      access.kind === "installer" && method !== "get" && !OF_THE_ACCOUNT.has(operationId),
  );
  expect(acting.length).toBeGreaterThanOrEqual(6);
  for (const route of acting) {
    const fields = Object.keys((route.body as z.ZodObject | undefined)?.shape ?? {});
    const body = {
      ...(route.bodyExample as object),
      ...(fields.includes("project_id") ? { project_id: projectId } : {}),
    };
    const answer = await world.ask(
      route.method.toUpperCase(),
      route.path.replace("{project_id}", projectId).replace("{charge_point_id}", chargePointId),
      { as: token, ...(route.body === undefined ? {} : { body }) },
    );
    expect({ route: route.operationId, status: answer.status, code: answer.body.code }).toEqual({
      route: route.operationId,
      status: 409,
      code: "project_handed_over",
    });
  }
  expect(await rows()).toEqual(before);
}, 180_000);

test("[E5] requests of the very moment of the handover are either part of it or refused", async () => {
  const steps = handoverSteps(world);
  const site = await steps.site();
  await steps.commission(site, await steps.register(site, "FIRST"));
  const late = Array.from({ length: 8 }, (_, n) =>
    world.ask("POST", "/api/v1/installer/charge-points", {
      as: site.token,
      body: {
        project_id: site.projectId,
        serial_number: `LATE-${n}`,
        model: "M",
        vendor: "V",
        ocpp_version: "1.6",
        connector_count: 1,
      },
    }),
  );
  const [handover, ...answers] = await Promise.all([steps.handOver(site), ...late]);
  const made = answers.filter(({ status }) => status === 201).length;
  const refused = answers.filter(({ body }) => body.code === "project_handed_over").length;
  expect(made + refused).toBe(8);
  // Either it came first and closed the project to the rest, or one that was registered before stood in its way.
  expect(handover?.status === 200 ? made : 0).toBe(0);
  const [{ n } = { n: -1 }] = await world.sql.query<{ n: number }>(
    "select count(*)::int as n from stations where project_id = $1",
    [site.projectId],
  );
  expect(n).toBe(1 + made);
});

async function handedOver(steps: ReturnType<typeof handoverSteps>) {
  const site = await steps.site();
  const chargePointId = await steps.register(site);
  await steps.commission(site, chargePointId);
  const { status } = await steps.handOver(site);
  expect(status).toBe(200);
  return { ...site, chargePointId };
}
