import { expect, test } from "vitest";
import { parseNetworks, refuseAddress } from "./address-rules.ts";

const refused = (address: string, allowPrivate = false, blocked: string[] = []) =>
  refuseAddress(address, allowPrivate, parseNetworks(blocked)) !== undefined;

test.each(["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "2a00:1450:4001:82f::200e"])(
  "%s is public",
  (address) => {
    expect(refused(address)).toBe(false);
  },
);

test.each([
  "0.0.0.0",
  "10.1.2.3",
  "100.64.0.1",
  "127.0.0.1",
  "127.255.255.254",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.0.0.8",
  "192.0.2.1",
  "192.168.1.1",
  "198.18.0.1",
  "198.51.100.7",
  "203.0.113.9",
  "224.0.0.1",
  "240.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::ffff:127.0.0.1",
  "::ffff:a9fe:a9fe",
  "::127.0.0.1",
  "64:ff9b::7f00:1",
  "64:ff9b:1::a00:1",
  "2002:7f00:1::",
  "2001::1",
  "2001:db8::1",
  "fc00::1",
  "fd12:3456::1",
  "fe80::1",
  "fe80::1%eth0",
  "fec0::1",
  "ff02::1",
  "100::1",
  "4000::1",
  "nonsense",
])("[E10] %s is not public", (address) => {
  expect(refused(address)).toBe(true);
});

test("[E10] development reaches loopback, and no other address that is not public", () => {
  expect(["127.0.0.1", "::1", "::ffff:127.0.0.1"].filter((address) => refused(address, true))).toEqual([]);
  const internal = [
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "fd12::1",
    "169.254.169.254",
    "fe80::1",
    "0.0.0.0",
    "224.0.0.1",
  ];
  expect(internal.filter((address) => !refused(address, true))).toEqual([]);
});

test("[E10] a blocked network is blocked in development and in its mapped form too", () => {
  expect(refused("203.0.114.5", false, ["203.0.114.0/24"])).toBe(true);
  expect(refused("::ffff:203.0.114.5", false, ["203.0.114.0/24"])).toBe(true);
  expect(refused("127.0.0.1", true, ["127.0.0.0/8"])).toBe(true);
  expect(() => parseNetworks(["300.0.0.0/8"])).toThrow();
});
