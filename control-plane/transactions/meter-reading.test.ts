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

test("[C23] 2.x: unit and multiplier come from unitOfMeasure, and numbers keep the digits that were sent", () => {
  const payload = parseExactJson(
    '[{"timestamp":"2026-05-01T10:00:00Z","sampledValue":[{"value":9007199254740993.10,"unitOfMeasure":{"unit":"kWh","multiplier":-1}}]}]',
  );
  const [reading] = readMeterValues(payload);
  expect(reading?.shape[0]).toMatchObject({ unit: "Wh", shift: 2 });
  expect(reading?.values).toEqual(["900719925474099310"]);
});

test("[C23] what is no number is kept as text, without a value", () => {
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
  ["Energy.Active.Import.Register", "kWh", "Wh", 3],
  ["Energy.Active.Export.Interval", undefined, "Wh", 0],
  ["Energy.Reactive.Import.Register", undefined, "varh", 0],
  ["Energy.Reactive.Export.Interval", "kvarh", "varh", 3],
  ["Energy.Apparent.Net", "kVAh", "VAh", 3],
  ["Power.Active.Import", "kW", "W", 3],
  ["Power.Active.Import", undefined, null, 0],
  ["Power.Offered", "KW", "W", 3],
  ["Power.Reactive.Import", "kvar", "var", 3],
  ["Power.Active.Export", "kVA", "VA", 3],
  ["Power.Factor", undefined, null, 0],
  ["Current.Import", "A", "A", 0],
  ["Voltage", "v", "V", 0],
  ["Frequency", "Hz", "Hz", 0],
  ["RPM", undefined, null, 0],
  ["SoC", "Percent", "Percent", 0],
  ["Temperature", "Celcius", "Celsius", 0],
  ["Temperature", "Fahrenheit", "Fahrenheit", 0],
  ["Temperature", "K", "K", 0],
])("%s in %s is kept in %s, shifted by %d", (measurand, unit, base, shift) => {
  const member = (sample: object) => read({ value: "1", measurand, ...sample }).shape[0];
  expect(member(unit === undefined ? {} : { unit })).toMatchObject({ unit: base, shift });
  expect(member(unit === undefined ? {} : { unitOfMeasure: { unit, multiplier: 3 } })).toMatchObject({
    unit: base,
    shift: unit === undefined ? shift : shift + 3,
  });
});

test("a meter that says phases alone is read by their sum, exactly; a total wins", () => {
  const phases = ["L1", "L2", "L3"].map((phase) => ({ value: "0.1", unit: "kWh", phase, context: "Transaction.End" }));
  expect(energyRegisterWh([read(...phases)], "Transaction.End")).toBe("300");
  expect(energyRegisterWh([read(...phases.slice(0, 2))], "Transaction.End")).toBeNull();
  expect(energyRegisterWh([read(...phases, { value: "5", context: "Transaction.End" })], "Transaction.End")).toBe("5");
  expect(energyRegisterWh([read({ value: "7", location: "Inlet" }, { value: "8" })], "Other")).toBe("8");
});

test("signed values are read with what belongs to them, of 1.6, of 2.x, and OCMF that calls itself nothing", () => {
  const ocmf = 'OCMF|{"FV":"1.0"}|{"SD":"3045"}';
  const signedMeterValue = { signedMeterData: "AQID", signingMethod: "", encodingMethod: "OCMF", publicKey: "key" };
  const none = { signingMethod: null, publicKey: null, context: null, measurand: null };
  expect(read({ value: "AQID", format: "SignedData", context: "Transaction.End" }, { value: "1" }).signed).toEqual([
    { ...none, signedData: "AQID", encodingMethod: null, context: "Transaction.End" },
  ]);
  expect(read({ value: ocmf }).signed).toEqual([{ ...none, signedData: ocmf, encodingMethod: "OCMF" }]);
  expect(read({ value: 1, signedMeterValue }).signed).toEqual([
    { ...none, signedData: "AQID", signingMethod: "", encodingMethod: "OCMF", publicKey: "key" },
  ]);
  expect(read({ value: "1" }).signed).toBeUndefined();
});

test.each([
  ["2026-05-01T10:00:00+05:30", "2026-05-01T04:30:00.000Z"],
  ["2026-05-01T10:00:00+0530", "2026-05-01T04:30:00.000Z"],
  ["2026-05-01T10:00:00", "2026-05-01T10:00:00.000Z"],
  ["2026-05-01T10:00Z", "2026-05-01T10:00:00.000Z"],
  ["2026-05-01 10:00:00.123456789Z", "2026-05-01T10:00:00.123Z"],
  ["2026-12-31T23:59:60Z", "2026-12-31T23:59:59.999Z"],
  ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"],
  ["2099-01-01T00:00:00Z", "2099-01-01T00:00:00.000Z"],
  ["2028-02-29T12:00:00Z", "2028-02-29T12:00:00.000Z"],
  ["2026-02-29T12:00:00Z", undefined],
  ["2026-13-01T12:00:00Z", undefined],
  ["0000-01-01T00:00:00Z", undefined],
  ["yesterday", undefined],
  [5, undefined],
])("[C22] the time %s is read as %s, whatever the zone of this process", (text, expected) => {
  expect(readTime(text)?.toISOString()).toBe(expected);
});
