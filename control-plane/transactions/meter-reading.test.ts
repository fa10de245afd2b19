import { expect, test } from "vitest";
import { parseExactJson } from "./exact-json.ts";
import { energyRegisterWh, readMeterValues, readTime } from "./meter-reading.ts";

const read = (...sampledValue: object[]) => {
  const [reading] = readMeterValues([{ timestamp: "2026-05-01T10:00:00Z", sampledValue }]);
  if (reading === undefined) throw new Error("no reading");
  return reading;
};

test("what a sample leaves out has the spec's defaults", () => {
  expect(read({ value: "1" }).shape).toEqual([
    {
      measurand: "Energy.Active.Import.Register",
      phase: null,
      location: "Outlet",
      context: "Sample.Periodic",
      unit: "Wh",
      shift: 0,
    },
  ]);
  expect(read({ value: "1", measurand: "SoC" }).shape[0]?.unit).toBeNull();
});

test("prefixed units become their base, exactly, and the raw text is kept only where it does not follow", () => {
  const reading = read(
    { value: "12.345", unit: "kWh" },
    { value: "0.5", measurand: "Power.Active.Import", unit: "kW" },
    { value: "20.5", measurand: "Temperature", unit: "Celcius" },
  );
  expect(reading.shape.map(({ unit, shift }) => [unit, shift])).toEqual([
    ["Wh", 3],
    ["W", 3],
    ["Celsius", 0],
  ]);
  expect(reading.values).toEqual(["12345", "500", "20.5"]);
  expect(reading.raw).toEqual([null, "0.5", null]);
  expect(read({ value: "100" }).raw).toBeUndefined();
});

test("2.x: unit and multiplier come from unitOfMeasure, and numbers keep the digits that were sent", () => {
  const payload = parseExactJson(
    '[{"timestamp":"2026-05-01T10:00:00Z","sampledValue":[{"value":9007199254740993.10,"unitOfMeasure":{"unit":"kWh","multiplier":-1}}]}]',
  );
  const [reading] = readMeterValues(payload);
  expect(reading?.shape[0]).toMatchObject({ unit: "Wh", shift: 2 });
  expect(reading?.values).toEqual(["900719925474099310"]);
});

test("what is no number is kept as text, without a value", () => {
  const reading = read({ value: "OCMF|{…}", format: "SignedData" }, { value: "12,5" });
  expect(reading.values).toEqual([null, null]);
  expect(reading.raw).toEqual(["OCMF|{…}", "12,5"]);
});

test("what cannot be read at all is left out, and the rest stays", () => {
  expect(readMeterValues("nonsense")).toEqual([]);
  expect(
    readMeterValues([null, { timestamp: 5, sampledValue: [7, { value: {} }] }, { sampledValue: "x" }]),
  ).toMatchObject([{ sampledAt: null, values: [null] }]);
});

test("the energy register is the total in Wh, of the context asked for where there is one", () => {
  const readings = [
    read(
      { value: "1", phase: "L1" },
      { value: "2", context: "Transaction.Begin" },
      { value: "3", context: "Transaction.End" },
    ),
  ];
  expect(energyRegisterWh(readings, "Transaction.End")).toBe("3");
  expect(energyRegisterWh(readings, "Other")).toBe("2");
  expect(energyRegisterWh([read({ value: "1", measurand: "SoC" })], "Other")).toBeNull();
});

test.each([
  ["2026-05-01T10:00:00+05:30", "2026-05-01T04:30:00.000Z"],
  ["2026-12-31T23:59:60Z", "2026-12-31T23:59:59.000Z"],
  ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"],
  ["0000-01-01T00:00:00Z", undefined],
  ["yesterday", undefined],
  [5, undefined],
])("the time %s is read as %s", (text, expected) => {
  expect(readTime(text)?.toISOString()).toBe(expected);
});
