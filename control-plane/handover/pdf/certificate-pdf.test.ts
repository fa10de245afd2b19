import { expect, test } from "vitest";
import { productName } from "./certificate-pdf.ts";

test.each([
  ["Alpitronic", "Alpitronic HYC300", "Alpitronic HYC300"],
  ["ALPITRONIC", "alpitronic HYC300", "alpitronic HYC300"],
  ["Alpitronic", "HYC300", "Alpitronic HYC300"],
  ["ABB", "ABBA 1", "ABB ABBA 1"],
  ["ABB", "ABB", "ABB"],
  ["ABB", "ABB-T54", "ABB-T54"],
])("a unit of %j called %j is printed as %j", (vendor, model, name) => {
  expect(productName({ vendor, model })).toBe(name);
});
