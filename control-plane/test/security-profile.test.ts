// The security profile that a station is held to: set by operators, enforced by the gateways.
import { afterAll, beforeAll, expect, test } from "vitest";
import { type PasswordScene, startPasswordScene } from "./password-scene.ts";

let scene: PasswordScene;
let { world, station } = {} as PasswordScene;
beforeAll(async () => {
  scene = await startPasswordScene();
  ({ world, station } = scene);
});
afterAll(() => scene.close());

test("[1.8-no-downgrade] a security profile goes up at the gateways at once, and down from 3 to 2 alone", async () => {
  const unit = await station();
  const patch = (body: object) => world.ask("PATCH", `/api/v1/charge-points/${unit.id}`, { as: unit.key, body });
  expect(await patch({ security_profile: 3, force: true })).toMatchObject({
    status: 200,
    body: { security_profile: 3 },
  });
  expect(await patch({ security_profile: 3 })).toMatchObject({ status: 200 });
  expect(await unit.record()).toMatchObject({
    securityProfile: 3,
    serialNumber: unit.id,
    organizationName: "ChargeCo",
  });
  expect(await patch({ security_profile: 2 })).toMatchObject({
    status: 409,
    body: { remedy: expect.stringContaining("allow_downgrade") },
  });
  expect(await patch({ security_profile: 2, allow_downgrade: true })).toMatchObject({ status: 200 });
  expect(await patch({ security_profile: 1, allow_downgrade: true })).toMatchObject({ status: 409 });
  expect(await patch({ security_profile: 4 })).toMatchObject({ status: 422 });
  expect((await unit.record()).securityProfile).toBe(2);
});
