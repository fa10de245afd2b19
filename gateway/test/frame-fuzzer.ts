import { actionsOf, isStationAction } from "@dynamo-csms/ocpp-schemas/actions";
import { readSchemaSet, SCHEMA_FILES } from "@dynamo-csms/ocpp-schemas/generation/read-schema-set";
import { samplePayload } from "@dynamo-csms/ocpp-schemas/generation/sample-payloads";
import type { PayloadKind } from "@dynamo-csms/ocpp-schemas/validators";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";

/** FUZZ_FRAMES for a longer run, FUZZ_SEED for the same frames again, or for others. */
export const fuzzSettings = {
  frames: Number(process.env["FUZZ_FRAMES"] ?? 20_000),
  seed: Number(process.env["FUZZ_SEED"] ?? 20_260_131),
};

/** Reproducible chance: the same seed, the same frames. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to below `limit`, whole. */
  below(limit: number): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }
}

const SETS = new Map<OcppVersion, ReturnType<typeof readSchemaSet>>(
  SCHEMA_FILES.map((source) => [source.version, readSchemaSet(source)]),
);

/** A valid payload of a message; undefined: the version has no such message. */
export function validPayload(version: OcppVersion, action: string, kind: PayloadKind, every = false): unknown {
  const set = SETS.get(version);
  const message = set?.messages.find((candidate) => candidate.action === action && candidate.kind === kind);
  return set === undefined || message === undefined ? undefined : samplePayload(message.schema, set.definitions, every);
}

const NAMES = [
  "__proto__",
  "constructor",
  "toString",
  "",
  "heartbeat",
  "HeartbeatRequest",
  "Nonsense",
  "\u0000",
  "é".repeat(300),
];
const ODD_VALUES: unknown[] = [
  null,
  true,
  -1,
  1.5,
  1e308,
  2 ** 53 + 1,
  "",
  "x".repeat(600),
  "\u0000\ud800",
  "2026-13-99",
  {},
  [],
  [null],
  { toString: 1 },
];
/** JSON that JSON.stringify does not write. */
const ODD_TEXTS = [
  "1e400",
  "-0",
  "9".repeat(400),
  '"\\ud800"',
  '{"a":1,"a":2}',
  '{"__proto__":{"x":1}}',
  "[".repeat(90) + "]".repeat(90),
];

/** Frames as a station, or somebody who has read the specification with ill intent, may send them. */
export class FrameFuzzer {
  readonly #chance: Chance;
  #ids = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  /** @param openIds message ids of CALLs of ours: some answers are meant for them */
  next(version: OcppVersion, openIds: readonly string[]): Uint8Array {
    const text = this.#frame(version, openIds);
    const bytes = Buffer.from(this.#chance.oneIn(8) ? this.#tear(text) : text, "utf8");
    if (this.#chance.oneIn(200) && bytes.length > 0) bytes[this.#chance.below(bytes.length)] = this.#chance.below(256);
    return bytes;
  }

  #frame(version: OcppVersion, openIds: readonly string[]): string {
    const chance = this.#chance;
    const type = chance.oneIn(4) ? chance.pick([3, 4, 5, 6, 7, -1, 0, 2.0, 1e99, "2", null]) : 2;
    const isAnswer = type === 3 || type === 4 || type === 5;
    const id = isAnswer && openIds.length > 0 && chance.oneIn(2) ? chance.pick(openIds) : this.#id();
    const action = chance.oneIn(10)
      ? chance.pick(NAMES)
      : chance.pick(actionsOf(version).filter((name) => isStationAction(version, name) || chance.oneIn(5)));
    const payload = this.#payload(version, action, type === 3 ? "response" : "request");
    const parts =
      type === 4 || type === 5
        ? [JSON.stringify(chance.pick(["GenericError", "Oops", "", 5, {}])), '""', payload]
        : type === 3
          ? [payload]
          : [JSON.stringify(action), payload];
    const frame = [JSON.stringify(type), JSON.stringify(id), ...parts];
    if (chance.oneIn(20)) frame.splice(chance.below(frame.length), 1);
    if (chance.oneIn(20)) frame.splice(chance.below(frame.length), 0, JSON.stringify(chance.pick(ODD_VALUES)));
    return `[${frame.join(chance.oneIn(10) ? " ,\n " : ",")}]`;
  }

  #id(): unknown {
    const chance = this.#chance;
    if (chance.oneIn(15))
      return chance.pick(["", "x".repeat(37), 7, 1.5, null, {}, ["a"], true, "\ud800", "\u0000", "é".repeat(36)]);
    return `fuzz-${++this.#ids}`;
  }

  #payload(version: OcppVersion, action: string, kind: PayloadKind): string {
    const chance = this.#chance;
    const valid = validPayload(version, action, kind, chance.oneIn(3)) ?? {};
    if (chance.oneIn(3)) return JSON.stringify(valid);
    if (chance.oneIn(10)) return JSON.stringify(chance.pick(ODD_VALUES));
    let text = JSON.stringify(this.#mutate(valid));
    if (chance.oneIn(10)) text = text.replace(/:("[^"]*"|\d+)/, `:${chance.pick(ODD_TEXTS)}`);
    return text;
  }

  /** One place of it changed: taken out, put in, or something else. */
  #mutate(value: unknown): unknown {
    const chance = this.#chance;
    if (typeof value !== "object" || value === null || chance.oneIn(6)) return chance.pick(ODD_VALUES);
    if (Array.isArray(value)) {
      if (value.length === 0 || chance.oneIn(5))
        return Array.from({ length: chance.below(30) }, () => value[0] as unknown);
      return value.map((part: unknown, at) => (at === 0 ? this.#mutate(part) : part));
    }
    const fields = Object.entries(value);
    if (chance.oneIn(6) || fields.length === 0) return { ...value, [chance.pick(NAMES)]: chance.pick(ODD_VALUES) };
    const at = chance.below(fields.length);
    if (chance.oneIn(4)) return Object.fromEntries(fields.filter((_, index) => index !== at));
    return Object.fromEntries(fields.map(([name, part], index) => [name, index === at ? this.#mutate(part) : part]));
  }

  /** The text with a part missing, doubled or foreign. */
  #tear(text: string): string {
    const chance = this.#chance;
    const from = chance.below(text.length + 1);
    const to = Math.min(text.length, from + chance.below(20));
    const foreign = chance.pick([
      "",
      "",
      "\ufeff",
      "}",
      "]",
      '"',
      "\\",
      "\u0000",
      text.slice(from, to) + text.slice(from, to),
      "[".repeat(5_000),
    ]);
    return text.slice(0, from) + foreign + text.slice(to);
  }
}
