import { expect, test } from "vitest";
import { maskPaths, maskSettings } from "./mask-secrets.ts";

test("a password among the settings of a station is masked, wherever it stands", () => {
  const masked = [
    maskSettings({
      configurationKey: [
        { key: "HeartbeatInterval", readonly: false, value: "60" },
        { key: "AuthorizationKey", readonly: false, value: "hunter2" },
      ],
    }),
    maskSettings({
      getVariableResult: [
        {
          attributeStatus: "Accepted",
          attributeValue: "hunter2",
          component: { name: "SecurityCtrlr" },
          variable: { name: "BasicAuthPassword" },
        },
      ],
    }),
    maskSettings({
      reportData: [
        {
          component: { name: "SecurityCtrlr" },
          variable: { name: "BasicAuthPassword" },
          variableAttribute: [{ type: "Actual", value: "hunter2" }],
        },
      ],
    }),
    maskSettings({ eventData: [{ actualValue: "hunter2", variable: { name: "basicauthpassword" } }] }),
  ];
  for (const payload of masked) {
    expect(payload).toBeDefined();
    expect(JSON.stringify(payload)).not.toContain("hunter2");
  }
  expect(JSON.stringify(masked[0])).toContain('"value":"60"');
});

test("a payload without secrets is left as it is", () => {
  expect(maskSettings({ configurationKey: [{ key: "HeartbeatInterval", value: "60" }] })).toBeUndefined();
});

test("the named paths are masked, and paths that lead nowhere are skipped", () => {
  expect(maskPaths('{"key":"AuthorizationKey","value":"hunter2"}', ["value"])).toBe(
    '{"key":"AuthorizationKey","value":"***"}',
  );
  expect(maskPaths('{"a":[{"b":"hunter2"}]}', ["a.0.b", "a.1.b", "x.y", "__proto__.z"])).toBe('{"a":[{"b":"***"}]}');
  expect(maskPaths('{"n":1.10}', [])).toBe('{"n":1.10}');
});
