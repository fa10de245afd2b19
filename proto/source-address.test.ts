import { expect, test } from "vitest";
import { sourceOf } from "./source-address.ts";

test.each([
  ["198.51.100.3", "198.51.100.3"],
  ["::ffff:198.51.100.3", "198.51.100.3"],
  ["0000:0000:0000:0000:0000:ffff:c633:6403", "198.51.100.3"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:0db8:0001:0002:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"],
  ["2001:DB8:1:2::1", "2001:db8:1:2::/64"],
  ["2001:db8:1:3::1", "2001:db8:1:3::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["2001:db8:0:0:1::", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["1::2:3:4:5:198.51.100.3", "1:0:2:3::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["not an address", "not an address"],
  ["unknown", "unknown"],
  ["", ""],
])("[D1] [E7] of %j the source is %s: an IPv6 network is one, in every spelling", (address, source) => {
  expect(sourceOf(address)).toBe(source);
});
