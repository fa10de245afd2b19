import type { EnvironmentReader } from "./environment.ts";

/** What is traced and where it goes: the standard OTEL_* variables, as far as they are known here. */
export interface TracingSettings {
  /** Where spans are sent: OTLP over HTTP. */
  url: string;
  headers: Record<string, string>;
  timeoutMs: number;
  /** Default: `dynamo-csms-` and the process's name. */
  serviceName?: string;
  resource: Record<string, string>;
  /** Which traces are recorded, decided where they begin. */
  sampler: TraceSampler;
  batch: { delayMs: number; maxQueue: number; maxBatch: number };
}

export interface TraceSampler {
  /** What the caller decided holds. */
  parentBased: boolean;
  /** From 0 to 1, of those that have no parent or whose parent does not count. */
  ratio: number;
}

const SAMPLERS = [
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
  "always_on",
  "always_off",
  "traceidratio",
] as const;

/** Reads the settings. Undefined: nothing is traced, as is the default. Mistakes are the reader's. */
export function readTracingSettings(read: EnvironmentReader): TracingSettings | undefined {
  const disabled = read.choice("OTEL_SDK_DISABLED", "false", ["true", "false"]) === "true";
  const exporter = read.choice("OTEL_TRACES_EXPORTER", "none", ["none", "otlp"]);
  if (disabled || exporter === "none") return undefined;
  read.choice("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", ["http/json"]);
  const endpoint = read.parsed("OTEL_EXPORTER_OTLP_ENDPOINT", read.text("OTEL_EXPORTER_OTLP_ENDPOINT"), parseUrl);
  const tracesEndpoint = read.parsed(
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    read.text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
    parseUrl,
  );
  const serviceName = read.text("OTEL_SERVICE_NAME");
  return {
    url: tracesEndpoint ?? `${(endpoint ?? "http://localhost:4318").replace(/\/+$/, "")}/v1/traces`,
    headers: read.parsed("OTEL_EXPORTER_OTLP_HEADERS", read.secret("OTEL_EXPORTER_OTLP_HEADERS"), parsePairs) ?? {},
    timeoutMs: read.durationMs("OTEL_EXPORTER_OTLP_TIMEOUT", 10_000, 100, 60_000),
    ...(serviceName === undefined ? {} : { serviceName }),
    resource: read.parsed("OTEL_RESOURCE_ATTRIBUTES", read.text("OTEL_RESOURCE_ATTRIBUTES"), parsePairs) ?? {},
    sampler: readSampler(read),
    batch: readBatch(read),
  };
}

function readSampler(read: EnvironmentReader): TraceSampler {
  const name = read.choice("OTEL_TRACES_SAMPLER", "parentbased_always_on", SAMPLERS);
  const given = read.parsed("OTEL_TRACES_SAMPLER_ARG", read.text("OTEL_TRACES_SAMPLER_ARG"), parseRatio) ?? 1;
  const ratio = name.endsWith("always_on") ? 1 : name.endsWith("always_off") ? 0 : given;
  return { parentBased: name.startsWith("parentbased_"), ratio };
}

function readBatch(read: EnvironmentReader): TracingSettings["batch"] {
  const delayMs = read.durationMs("OTEL_BSP_SCHEDULE_DELAY", 5_000, 10, 60_000);
  const maxQueue = read.integer("OTEL_BSP_MAX_QUEUE_SIZE", 2_048, 1, 1_000_000);
  const maxBatch = read.integer("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512, 1, 1_000_000);
  if (maxBatch > maxQueue) read.mistakes.push("OTEL_BSP_MAX_EXPORT_BATCH_SIZE: want at most OTEL_BSP_MAX_QUEUE_SIZE");
  return { delayMs, maxQueue, maxBatch };
}

function parseUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) throw new Error("want an http or https URL");
  return text;
}

function parseRatio(text: string): number {
  const ratio = Number(text);
  if (text.trim() === "" || !(ratio >= 0 && ratio <= 1)) throw new Error("want a number from 0 to 1");
  return ratio;
}

/** `name=value` with commas between, values percent-encoded (the form of a W3C Baggage header). */
function parsePairs(text: string): Record<string, string> {
  const pairs = text.split(",").map((part): [string, string] => {
    const at = part.indexOf("=");
    const name = part.slice(0, Math.max(at, 0)).trim();
    if (name === "") throw new Error("want name=value, separated by commas");
    try {
      return [name, decodeURIComponent(part.slice(at + 1).trim())];
    } catch {
      throw new Error("want its values percent-encoded");
    }
  });
  return Object.fromEntries(pairs);
}
