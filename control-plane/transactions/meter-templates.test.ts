import { expect, test } from "vitest";
import { MeterTemplates, readMeterMessage } from "./meter-templates.ts";

const sample = (value: string, more: object = {}) => ({ value, context: "Sample.Periodic", ...more });
const message = (values: string[], more: { at?: string; transactionId?: number; connectorId?: number } = {}) => ({
  connectorId: more.connectorId ?? 1,
  transactionId: more.transactionId ?? 4711,
  meterValue: [
    {
      timestamp: more.at ?? "2026-05-01T10:00:00.000Z",
      sampledValue: [
        sample(values[0] ?? "1", { measurand: "Energy.Active.Import.Register", unit: "kWh" }),
        sample(values[1] ?? "2", { measurand: "Power.Active.Import", unit: "W" }),
        { value: values[2] ?? "3" },
      ],
    },
  ],
});

test("messages that differ in values, time and transaction are read as they are when parsed", () => {
  const templates = new MeterTemplates();
  let byTemplate = 0;
  const texts = ["12.345", "0", "-0", "007", "+5", "1e3", "12.50", "", ".5", "5.", "1".repeat(60), "NaN"];
  for (let n = 0; n < 200; n += 1) {
    const text = JSON.stringify(
      message(
        [0, 1, 2].map((place) => texts[(n * 7 + place * 5) % texts.length] as string),
        {
          at: [
            "2026-05-01T10:00:00Z",
            "2026-02-30T10:00:00Z",
            "2026-05-01T23:59:60Z",
            "soon",
            "2026-05-01T10:00+02:00",
          ][n % 5] as string,
          transactionId: [0, 1, 2_147_483_647, 2_147_483_648, 9_999_999_999][n % 5] as number,
          connectorId: n % 3,
        },
      ),
    );
    const read = templates.read("7", text);
    if (read === undefined) continue;
    byTemplate += 1;
    expect(read).toEqual(readMeterMessage(JSON.parse(text)));
  }
  expect(byTemplate).toBeGreaterThan(150);
});

/** What a station could write to be read otherwise than it is meant. */
const ODD = [
  String.raw`{"connectorId":1,"meterValue":[{"timestamp":"2026-05-01T10:00:00Z","sampledValue":[{"value":"a\"b"}]}]}`,
  String.raw`{"connectorId":1,"meterValue":[{"timestamp":"2026-05-01T10:00:00Z","sampledValue":[{"val\u0075e":"5"}]}]}`,
  String.raw`{"connectorId":1,"meterValue":[{"timestamp":"\u0032026-05-01T10:00:00Z","sampledValue":[{"value":"5"}]}]}`,
  '{"connectorId":1,"meterValue":[{"timestamp":"2026-05-01T10:00:00Z","sampledValue":[{"value":"5","value":"6"}]}]}',
  '{"transactionId":5,"connectorId":1,"meterValue":[{"timestamp":"2026-05-01T10:00:00Z","sampledValue":[{"value":"5"}],"transactionId":6}]}',
  '{"connectorId":1,"meterValue":[{"timestamp":"2026-05-01T10:00:00Z","sampledValue":[{"value":"5","format":"SignedData"}]}]}',
  '{"connectorId":1,"meterValue":[{"timestamp":"2026-05-01T10:00:00Z","sampledValue":[{"value":"OCMF|{}|{}"}]}]}',
  '{"connectorId":1,"meterValue":[{"sampledValue":[{"value":"5"}]}]}',
  '{"connectorId":1,"meterValue":[{"timestamp":"2026-05-01T10:00:00Z","sampledValue":[{"value":5}]}]}',
  '{"connectorId":1,"meterValue":[{"timestamp":"2026-05-01T10:00:00Z","sampledValue":[{"value":"5","measurand":"value","unit":"timestamp"}]}]}',
  '{ "connectorId" : 1, "transactionId" : 7 , "meterValue" : [ { "timestamp" : "2026-05-01T10:00:00Z" , "sampledValue" : [ { "value" : "5" } ] } ] }',
  '{"connectorId":1,"transactionId":-1,"meterValue":[]}',
  '{"connectorId":"1","transactionId":"7","meterValue":{"timestamp":"x"}}',
  '{"connectorId":1,"transactionId":7.0,"meterValue":[null,5,{"timestamp":"2026-05-01T10:00:00Z","sampledValue":[]}]}',
];

test("odd messages are read as they are when parsed, or not at all, also behind each other", () => {
  const templates = new MeterTemplates();
  const digits = ["5", "6", "75", "", String.raw`\"`, String.raw`5\u0022`, "5,6", "5}"];
  let read = 0;
  for (let round = 0; round < 40; round += 1)
    for (const odd of ODD)
      for (const [at, digit] of digits.entries()) {
        // Each digit that varies, in its place.
        const text = odd.replaceAll(/(?<=:\s?"?)[57](?=["\s,}])/g, () => digits[(at + round) % digits.length] ?? digit);
        let parsed: unknown;
        try {
          parsed = JSON.parse(text);
        } catch {
          continue;
        }
        const by = templates.read(`station ${ODD.indexOf(odd)}`, text);
        if (by === undefined) continue;
        read += 1;
        expect(by, text).toEqual(readMeterMessage(parsed));
      }
  expect(read).toBeGreaterThan(300);
});

test("a station whose messages are never alike is seldom tried, and others keep their templates", () => {
  const templates = new MeterTemplates();
  const steady = (n: number) => templates.read("steady", JSON.stringify(message([String(n)])));
  expect(steady(1)).toBeDefined();
  let read = 0;
  for (let n = 0; n < 5_000; n += 1)
    if (templates.read("odd", JSON.stringify({ ...message([]), [`vendor${n}`]: n })) !== undefined) read += 1;
  expect(read).toBeLessThan(20);
  expect(steady(2)).toBeDefined();
});

test("equal shapes are one and the same", () => {
  const templates = new MeterTemplates();
  const shapeOf = (connectorId: number) =>
    templates.read(`station ${connectorId}`, JSON.stringify(message([], { connectorId })))?.readings[0]?.shape;
  expect(shapeOf(1)).toBeDefined();
  expect(shapeOf(2)).toBe(shapeOf(1));
});
