import { randomBytes } from "node:crypto";
import {
  type MeterReading,
  MAX_SAMPLES,
  memberOf,
  readMeterValues,
  readTime,
  type ShapeMember,
  toValues,
} from "./meter-reading.ts";
import { int4Of, isObject } from "./read-fields.ts";
import { signedSampleOf } from "./signed-sample.ts";

// A station's MeterValues of 1.6 differ from each other in their values and times alone: what stands between those is the
// same text each time. So it is parsed once, and compared from then on. In a text that is equal up to the insides of some
// strings, and these are free of quotes, backslashes and control characters, JSON.parse finds the same at the same places.

/** What a MeterValues message of 1.6 says. */
export interface MeterMessage {
  /** undefined: it names none that fits. */
  transactionId: number | undefined;
  connector: number;
  readings: MeterReading[];
}

/** The same of a payload that was parsed. The values of 1.6 are strings: no need of exact-json.ts. */
export function readMeterMessage(payload: unknown): MeterMessage {
  const fields = isObject(payload) ? payload : {};
  return {
    transactionId: int4Of(fields["transactionId"]),
    connector: int4Of(fields["connectorId"]) ?? 0,
    readings: readMeterValues(fields["meterValue"]),
  };
}

interface Template {
  /** The text in front of each hole, and behind the last one. */
  between: string[];
  /** What may be in each hole. */
  holes: RegExp[];
  /** The hole of the transaction id; undefined: it stands in the text, or nowhere. */
  transactionHole: number | undefined;
  transactionId: number | undefined;
  connector: number;
  readings: { timeHole: number; valueHoles: number[]; shape: ShapeMember[] }[];
}

/** What varies: whatever is a `value`, a `timestamp` or a `transactionId`. The place in front of it, and it. */
const HOLES = /("(?:value|timestamp)"\s*:\s*")[^"\\]*(?=")|("transactionId"\s*:\s*)\d+(?=\s*[,}])/g;
const IN_STRING = /^[-+.:\w]{0,60}$/;
const IN_NUMBER = /^(?:0|[1-9]\d{0,9})$/;

/** Of all makes and connectors of a fleet. */
const MAX_TEMPLATES = 1_000;
/** A longer message is rare, and a thousand of them would be much to keep. */
const MAX_LENGTH = 8_000;
const MAX_STATIONS = 200_000;
/** Of its connectors. */
const TEMPLATES_PER_STATION = 4;
/** A station none of whose messages is like another one is read the ordinary way, and seldom tried again. */
const LONGEST_REST = 1_024;

interface OfStation {
  /** The last ones that fitted. */
  templates: Template[];
  /** So many messages are not tried. */
  rest: number;
  nextRest: number;
}

/** Reads messages by templates that it makes of those it sees. What it reads is what readMeterValues reads, or nothing. */
export class MeterTemplates {
  readonly #known = new Map<string, Template | undefined>();
  readonly #shapes = new Map<string, ShapeMember[]>();
  readonly #ofStation = new Map<string, OfStation>();

  /** @param text the payload, as a station sent it that was answered with success. @returns undefined: parse it. */
  read(stationId: string, text: string): MeterMessage | undefined {
    if (text.length > MAX_LENGTH) return undefined;
    const station = this.#stationOf(stationId);
    for (const template of station.templates) {
      const message = messageBy(template, text);
      if (message === undefined) continue;
      [station.rest, station.nextRest] = [0, 1];
      return message;
    }
    if (station.rest > 0) {
      station.rest -= 1;
      return undefined;
    }
    [station.rest, station.nextRest] = [station.nextRest, Math.min(2 * station.nextRest, LONGEST_REST)];
    const template = this.#templateOf(text);
    if (template === undefined) return undefined;
    station.templates = [template, ...station.templates.slice(0, TEMPLATES_PER_STATION - 1)];
    return messageBy(template, text);
  }

  #stationOf(stationId: string): OfStation {
    const known = this.#ofStation.get(stationId);
    if (known !== undefined) return known;
    if (this.#ofStation.size >= MAX_STATIONS) this.#ofStation.clear();
    const station = { templates: [], rest: 0, nextRest: 1 };
    this.#ofStation.set(stationId, station);
    return station;
  }

  #templateOf(text: string): Template | undefined {
    const holes: { at: number; end: number; number: boolean }[] = [];
    for (const match of text.matchAll(HOLES)) {
      const before = match[1] ?? match[2] ?? "";
      holes.push({
        at: match.index + before.length,
        end: match.index + match[0].length,
        number: match[1] === undefined,
      });
    }
    const between = holes.map(({ at }, n) => text.slice(holes[n - 1]?.end ?? 0, at));
    between.push(text.slice(holes.at(-1)?.end ?? 0));
    const key = between.join("\u0000");
    if (this.#known.has(key)) return this.#known.get(key);
    if (this.#known.size >= MAX_TEMPLATES) {
      this.#known.clear();
      this.#shapes.clear();
    }
    const template = this.#compile(
      between,
      holes.map(({ number }) => number),
    );
    this.#known.set(key, template);
    return template;
  }

  /** Marks every hole, and looks for the marks in what JSON.parse makes of it. undefined: not all is where it is looked for. */
  #compile(between: string[], numbers: boolean[]): Template | undefined {
    if (numbers.filter(Boolean).length > 1) return undefined;
    const marked = between.map((text, n) =>
      n === between.length - 1 ? text : `${text}${numbers[n] === true ? MARK_NUMBER : markOf(n)}`,
    );
    const payload = parsed(marked.join(""));
    if (!isObject(payload) || !Array.isArray(payload["meterValue"])) return undefined;
    const holeOf = (value: unknown) => numbers.findIndex((number, n) => !number && value === markOf(n));
    const transactionHole = numbers.indexOf(true);
    if (transactionHole !== -1 && payload["transactionId"] !== MARK_NUMBER) return undefined;
    const readings: Template["readings"] = [];
    for (const element of payload["meterValue"] as unknown[]) {
      if (!isObject(element) || !Array.isArray(element["sampledValue"])) continue;
      const samples = element["sampledValue"].filter(isObject).slice(0, MAX_SAMPLES);
      if (samples.length === 0) continue;
      const timeHole = holeOf(element["timestamp"]);
      const valueHoles = samples.map((sample) => holeOf(sample["value"]));
      if (timeHole === -1 || valueHoles.includes(-1) || samples.some((sample) => signedSampleOf(sample) !== undefined))
        return undefined;
      readings.push({ timeHole, valueHoles, shape: this.#shapeOf(samples.map(memberOf)) });
    }
    return {
      between,
      holes: numbers.map((number) => (number ? IN_NUMBER : IN_STRING)),
      transactionHole: transactionHole === -1 ? undefined : transactionHole,
      transactionId: int4Of(payload["transactionId"]),
      connector: int4Of(payload["connectorId"]) ?? 0,
      readings,
    };
  }

  /** The same array for the same shape. */
  #shapeOf(shape: ShapeMember[]): ShapeMember[] {
    const text = JSON.stringify(shape);
    const known = this.#shapes.get(text);
    if (known === undefined) this.#shapes.set(text, shape);
    return known ?? shape;
  }
}

// What no station can have written by itself.
const NONCE = randomBytes(8).toString("hex");
const markOf = (hole: number): string => `#${NONCE}-${hole}`;
const MARK_NUMBER = 1_234_567_890_123_456;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function messageBy(template: Template, text: string): MeterMessage | undefined {
  const { between, holes } = template;
  const found: string[] = [];
  let at = 0;
  for (let n = 0; n < holes.length; n += 1) {
    const before = between[n] as string;
    if (!text.startsWith(before, at)) return undefined;
    at += before.length;
    // A string ends with a quote, which stands behind the hole; a number with the character that the template has there.
    const end = text.indexOf((between[n + 1] as string)[0] as string, at);
    const value = text.slice(at, end);
    if (end === -1 || !(holes[n] as RegExp).test(value)) return undefined;
    found.push(value);
    at = end;
  }
  const rest = between.at(-1) as string;
  if (text.length !== at + rest.length || !text.endsWith(rest)) return undefined;
  return {
    transactionId:
      template.transactionHole === undefined ? template.transactionId : int4Of(Number(found[template.transactionHole])),
    connector: template.connector,
    readings: template.readings.map(({ timeHole, valueHoles, shape }) => ({
      sampledAt: readTime(found[timeHole]),
      shape,
      ...toValues(
        valueHoles.map((hole) => found[hole] as string),
        shape,
      ),
    })),
  };
}
