// Every CALL that a CSMS may send, through the REST API: the smallest and the fullest payload arrive as they are, and one
// that breaks its schema is refused with its place.

import { actionsOf, directionOf, isCsmsAction } from "@dynamo-csms/ocpp-schemas/actions";
import { validCases, violationCases } from "@dynamo-csms/local/conformance/sample-cases";
import { OCPP_VERSIONS, type OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { maskSecrets, secretPathsOf } from "../commands/secret-fields.ts";
import { type ApiWorld, startApiWorld } from "./api-world.ts";
import { commandScenes } from "./command-scene.ts";

const API: Record<OcppVersion, string> = { "1.6": "ocpp16", "2.0.1": "ocpp201", "2.1": "ocpp21" };

let world: ApiWorld;
const scenes = commandScenes(() => world);
beforeAll(async () => {
  world = await startApiWorld();
});
afterEach(() => scenes.end());
afterAll(() => world.close());

describe.each(OCPP_VERSIONS)("OCPP %s", (version) => {
  const ours = actionsOf(version).filter((action) => isCsmsAction(version, action));

  test("every action of ours is sent with its smallest and its fullest payload", async () => {
    const { raw, gateway } = await scenes.scene(version, () => ({ state: "accepted", response: "{}" }));
    for (const action of ours) {
      for (const { name, payload } of validCases(version, action, "request")) {
        const { status, body } = await raw(API[version], { command: action, payload });
        expect([status, body.status], `${action} ${name}: ${JSON.stringify(body).slice(0, 500)}`).toEqual([
          200,
          "accepted",
        ]);
        expect(body.payload).toEqual(maskSecrets(payload, secretPathsOf(action, payload)));
        const sent = gateway.sent.at(-1);
        expect([sent?.commandId, sent?.action]).toEqual([body.command_id, action]);
        if (sent?.payload !== undefined) expect(JSON.parse(sent.payload)).toEqual(payload);
        else expect(sent?.sealedPayload).toBeDefined();
      }
    }
    expect(gateway.sent).toHaveLength(ours.length * 2);
  });

  test("a payload that breaks its schema is refused with its place, and nothing is sent", async () => {
    const { raw, gateway } = await scenes.scene(version);
    let refused = 0;
    for (const action of ours) {
      const [violation] = violationCases(version, action, "request");
      if (violation === undefined) continue;
      const { status, body } = await raw(API[version], { command: action, payload: violation.payload });
      expect([status, body.errors?.[0]?.pointer], `${action} ${violation.name}`).toEqual([
        422,
        `/payload${violation.mistake?.pointer}`,
      ]);
      refused += 1;
    }
    expect(refused).toBe(ours.length);
    expect(gateway.heard).toEqual([]);
  });

  test("an action that stations send, or that is of another version, or none, is refused by name", async () => {
    const { raw, gateway } = await scenes.scene(version);
    const detailOf = async (command: string) => {
      const { status, body } = await raw(API[version], { command, payload: {} });
      expect([status, body.errors[0].pointer, body.errors[0].code]).toEqual([422, "/command", "unknown_action"]);
      return body.errors[0].detail as string;
    };
    for (const action of actionsOf(version))
      if (directionOf(version, action) === "station") expect(await detailOf(action)).toContain("sent by charge points");
    const elsewhere = version === "1.6" ? "SetVariables" : "ChangeConfiguration";
    expect(await detailOf(elsewhere)).toContain(version === "1.6" ? "OCPP 2.0.1 and 2.1" : "OCPP 1.6");
    expect(await detailOf("Resett")).toContain("did you mean Reset?");
    expect(await detailOf("reset")).toContain("did you mean Reset?");
    expect(await detailOf("__proto__")).toContain("is not an action");
    expect(gateway.heard).toEqual([]);
  });
});
