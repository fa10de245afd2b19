import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { EnvironmentReader } from "./environment.ts";
import { createTracing, startTracing, type SpanRecorder, type SpanStart } from "./tracing.ts";
import { readTracingSettings } from "./tracing-settings.ts";

const PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";

function read(env: Record<string, string>) {
  const reader = new EnvironmentReader(env, () => {
    throw new Error("no file");
  });
  return { settings: readTracingSettings(reader), mistakes: reader.mistakes };
}
const on = (env: Record<string, string> = {}) => read({ OTEL_TRACES_EXPORTER: "otlp", ...env });

test("nothing is traced unless an exporter is named", async () => {
  for (const env of [{}, { OTEL_TRACES_EXPORTER: "none" }, { OTEL_TRACES_EXPORTER: "otlp", OTEL_SDK_DISABLED: "true" }])
    expect(read({ ...env, OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" })).toEqual({
      settings: undefined,
      mistakes: [],
    });
  expect(await startTracing(undefined, { processName: "test", onProblem: () => {} })).toBeUndefined();
});

test("a process without tracing loads nothing of OpenTelemetry", () => {
  const url = new URL("tracing.ts", import.meta.url).href;
  const script = `
    const loaded = [];
    (await import("node:module")).registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context); } });
    const { startTracing } = await import(${JSON.stringify(url)});
    await startTracing(undefined, { processName: "test", onProblem() {} });
    console.log(JSON.stringify([loaded.length > 0, loaded.filter((each) => each.includes("telemetry"))]));`;
  const text = execFileSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });
  expect(JSON.parse(text)).toEqual([true, []]);
});

test("the standard variables are read", () => {
  expect(on().settings).toMatchObject({
    url: "http://localhost:4318/v1/traces",
    headers: {},
    resource: {},
    sampler: { parentBased: true, ratio: 1 },
  });
  expect(
    on({
      OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector:4318/",
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20abc,x-tenant=a=b",
      OTEL_SERVICE_NAME: "csms",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment=test",
      OTEL_TRACES_SAMPLER: "traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.25",
    }).settings,
  ).toMatchObject({
    url: "https://collector:4318/v1/traces",
    headers: { authorization: "Bearer abc", "x-tenant": "a=b" },
    serviceName: "csms",
    resource: { "deployment.environment": "test" },
    sampler: { parentBased: false, ratio: 0.25 },
  });
  expect(on({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://collector/in" }).settings?.url).toBe("http://collector/in");
});

test("every mistake is told, and a header's value is not repeated", () => {
  const { mistakes } = on({
    OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318",
    OTEL_EXPORTER_OTLP_HEADERS: "canary",
    OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
    OTEL_TRACES_SAMPLER: "often",
    OTEL_TRACES_SAMPLER_ARG: "2",
    OTEL_BSP_MAX_QUEUE_SIZE: "10",
  });
  expect(mistakes).toHaveLength(6);
  expect(mistakes.join()).not.toContain("canary");
});

function tracing(sampler: { parentBased: boolean; ratio: number }, random = 0.5) {
  const started: SpanStart[] = [];
  const recorder: SpanRecorder = {
    start(span) {
      started.push(span);
      return { traceId: "t", traceparent: `${PARENT}-01`, set: () => {}, end: () => {} };
    },
    stop: async () => {},
  };
  return { ...createTracing(sampler, recorder, () => random), started };
}

test("whether a trace is recorded is decided at its head: by the caller, or by chance", () => {
  const half = tracing({ parentBased: true, ratio: 0.5 });
  expect([half.samples(), tracing({ parentBased: true, ratio: 0.6 }).samples()]).toEqual([false, true]);
  expect([half.samples(`${PARENT}-01`), half.samples(`${PARENT}-00`), half.samples("nonsense")]).toEqual([
    true,
    false,
    false,
  ]);
  expect(tracing({ parentBased: true, ratio: 0 }, 0).samples()).toBe(false);
  expect(tracing({ parentBased: true, ratio: 1 }, 0.999_999).samples()).toBe(true);
});

test("a sampler that does not ask the caller takes the same traces everywhere", () => {
  const own = (ratio: number) => tracing({ parentBased: false, ratio }).samples(`${PARENT}-01`);
  // Its last 56 bits are 48eb211c80319c: 0.285 of all.
  expect([own(0), own(0.71), own(0.72), own(1)]).toEqual([false, false, true, true]);
});

test("what follows goes on with what is recorded, and begins nothing", () => {
  const some = tracing({ parentBased: true, ratio: 1 });
  for (const parent of [undefined, "nonsense", `${PARENT}-00`])
    expect(some.follow(parent, { name: "a", kind: "client" })).toBeUndefined();
  expect(some.started).toEqual([]);
  some.follow(`${PARENT}-01`, { name: "a", kind: "client" });
  expect(some.started).toEqual([{ name: "a", kind: "client", parent: `${PARENT}-01` }]);
});

test("the current span is that of whoever runs in it, across awaits", async () => {
  const some = tracing({ parentBased: true, ratio: 1 });
  const span = some.start({ name: "a", kind: "server" });
  await some.run(span, async () => {
    await Promise.resolve();
    expect(some.current()).toBe(span);
  });
  expect(some.current()).toBeUndefined();
});
