import { describe, expect, test } from "vitest";
import { similarityOf } from "./similar-attempts.ts";

const GENERATED = { identity: "cp_01hxab1c2d3e", serialNumber: "SN-ABX-20240501-007" };
const IMPORTED = { identity: "cs-017", serialNumber: "1" };

describe("attempts that are probably this unit's", () => {
  test.each([
    ["/ocpp/1.6/cp_01hxab1c2d3e/extra", "contains_charge_point_id"],
    ["/ocpp/1.6/CP_01HXAB1C2D3E.", "contains_charge_point_id"],
    ["/ocpp/1.6/01hxab1c2d3e", "contains_charge_point_id"],
    ["/ocpp/1.6/SN-ABX-20240501-007", "contains_serial_number"],
    ["/ocpp/1.6/alpitronic-SN-ABX-20240501-007", "contains_serial_number"],
    ["/ocpp/1.6/SN-ABX-20240501-007%20", "contains_serial_number"],
    ["/ocpp/1.6/cp_O1hxab1c2d3e", "near_miss"],
    ["/ocpp/1.6/cp_01hxablc2d3e", "near_miss"],
    ["/ocpp/1.6/cp-01hxab1c2d3", "near_miss"],
    ["/ocpp/1.6/cp_01hxab1c2d3f", "near_miss"],
  ])("%s", (path, similarity) => {
    expect(similarityOf(path, GENERATED)).toBe(similarity);
  });

  test.each([["/ocpp/1.6/CS-O17"], ["/csx-017"], ["/CS_017"]])("%s", (path) => {
    expect(similarityOf(path, IMPORTED)).toBe("near_miss");
  });
});

describe("attempts that may be somebody else's", () => {
  test.each([
    ["/ocpp/1.6/cp_9zzzzzzzzzzz"],
    ["/ocpp/1.6/SN-ABX-20240501-0071"],
    ["/ocpp/1.6/XSN-ABX-20240501-007"],
    ["/ocpp/1.6/"],
    ["/%e0%a4%a"],
  ])("%s", (path) => {
    expect(similarityOf(path, GENERATED)).toBeUndefined();
  });

  test.each([
    ["/ocpp/1.6/CS-018"],
    ["/ocpp/1.6/cs-01"],
    ["/ocpp/1.6/cs-17000"],
    ["/ocpp/1.6/1"],
    ["/ocpp/1.6/other-1"],
  ])("the unit beside it, or a serial number that says nothing: %s", (path) => {
    expect(similarityOf(path, IMPORTED)).toBeUndefined();
  });

  test("a serial number is no way to search: words without a digit, and parts of words, find nothing", () => {
    for (const serialNumber of ["charger", "ocpp", "e", "-", "20240501"])
      expect(
        similarityOf("/ocpp/1.6/charger-SN20240501", { identity: "cp_01hxab1c2d3e", serialNumber }),
      ).toBeUndefined();
  });
});
