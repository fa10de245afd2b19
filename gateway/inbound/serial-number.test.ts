import { expect, test } from "vitest";
import { serialMismatch } from "./serial-number.ts";

const boot16 = { chargePointVendor: "Acme", chargePointModel: "One" };
const boot2 = (serialNumber?: string) => ({
  reason: "PowerUp",
  chargingStation: { vendorName: "Acme", model: "One", ...(serialNumber === undefined ? {} : { serialNumber }) },
});

test("[1.4-serial] the certificate's common name is the serial number of the boot, where each version has it", () => {
  expect(serialMismatch("1.6", "SN-1", { ...boot16, chargePointSerialNumber: "SN-1" })).toBeUndefined();
  expect(serialMismatch("1.6", "SN-1", { ...boot16, chargeBoxSerialNumber: "sn-1" })).toBeUndefined();
  expect(serialMismatch("2.0.1", "SN-1", boot2("SN-1"))).toBeUndefined();
  expect(
    serialMismatch("1.6", "SN-1", { ...boot16, chargePointSerialNumber: "SN-2", chargeBoxSerialNumber: "SN-1" }),
  ).toBe('BootNotification tells the serial number "SN-2", the certificate "SN-1"');
  expect(serialMismatch("2.1", "SN-1", boot2("sn-1"))).toBeDefined();
});

test("[1.4-serial] a boot that tells no serial number does not differ", () => {
  expect(serialMismatch("1.6", "SN-1", boot16)).toBeUndefined();
  expect(serialMismatch("2.0.1", "SN-1", boot2())).toBeUndefined();
  expect(serialMismatch("2.1", "SN-1", boot2(""))).toBeUndefined();
});

test("[D11] what is told of it is one harmless line", () => {
  const told = serialMismatch("2.1", "SN-1", boot2("\r\n\u001b[31m<script>\u202e"));
  expect(told).toBe('BootNotification tells the serial number "???[31m<script>?", the certificate "SN-1"');
});
