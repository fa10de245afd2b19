import { expect, test } from "vitest";
import { chooseSubprotocol, offeredSubprotocols } from "./subprotocol.ts";

const choose = (header: string, versions: Parameters<typeof chooseSubprotocol>[1] = ["1.6", "2.0.1", "2.1"]) =>
  chooseSubprotocol(offeredSubprotocols(header), versions);

test("[H2] the first offered version that can be used is chosen", () => {
  expect(choose("ocpp2.0.1, ocpp1.6")).toEqual({ version: "2.0.1", token: "ocpp2.0.1" });
  expect(choose("ocpp0.1,ocpp2.1")).toEqual({ version: "2.1", token: "ocpp2.1" });
  expect(choose("ocpp2.0.1, ocpp1.6", ["1.6"])).toEqual({ version: "1.6", token: "ocpp1.6" });
});

test("[H5] upper case is understood, and echoed as it came", () => {
  expect(choose("OCPP1.6")).toEqual({ version: "1.6", token: "OCPP1.6" });
});

test("[H3] nothing in common is nothing chosen", () => {
  expect(choose("ocpp0.1, ocpp1.5, mqtt")).toBeUndefined();
  expect(choose("ocpp1.60")).toBeUndefined();
  expect(choose("ocpp2.1", ["1.6", "2.0.1"])).toBeUndefined();
});

test("[H4] an empty header offers nothing", () => {
  expect(offeredSubprotocols("")).toEqual([]);
  expect(offeredSubprotocols(" , ")).toEqual([]);
});
