import { expect, test } from "vitest";
import { parseTrustedProxies, remotePeer } from "./remote-address.ts";

const trusted = parseTrustedProxies("10.0.0.0/8, 192.0.2.7, fd00::/8");
const claims = { socketAddress: "10.1.1.1", proxiedAddress: "", forwardedFor: "", forwardedProto: "" };

test("[D4] what a peer that is no trusted proxy says of itself is ignored", () => {
  const forged = {
    socketAddress: "203.0.113.5",
    proxiedAddress: "1.2.3.4",
    forwardedFor: "1.2.3.4",
    forwardedProto: "https",
  };
  expect(remotePeer(forged, trusted)).toEqual({ address: "203.0.113.5", headersTrusted: false });
});

test("[D4] a trusted proxy's PROXY header is believed, and the HTTP headers behind it are the station's own", () => {
  const forged = { forwardedFor: "6.6.6.6", forwardedProto: "https" };
  expect(remotePeer({ ...claims, ...forged, proxiedAddress: "198.51.100.3" }, trusted)).toEqual({
    address: "198.51.100.3",
    headersTrusted: false,
  });
});

test("of X-Forwarded-For the last address counts that no trusted proxy stands for", () => {
  const chain = { ...claims, forwardedFor: "6.6.6.6, 198.51.100.3, 192.0.2.7", forwardedProto: "https" };
  expect(remotePeer(chain, trusted)).toEqual({ address: "198.51.100.3", tls: true, headersTrusted: true });
  expect(remotePeer({ ...chain, forwardedProto: "http" }, trusted).tls).toBe(false);
});

test("a proxy that says nothing is the peer itself", () => {
  expect(remotePeer(claims, trusted)).toEqual({ address: "10.1.1.1", headersTrusted: true });
  expect(remotePeer({ ...claims, forwardedFor: "not an address" }, trusted).address).toBe("10.1.1.1");
});

test("IPv4 inside IPv6 is the IPv4 address", () => {
  expect(
    remotePeer(
      { ...claims, socketAddress: "0000:0000:0000:0000:0000:ffff:0a01:0101", forwardedFor: "198.51.100.3" },
      trusted,
    ).address,
  ).toBe("198.51.100.3");
  expect(remotePeer({ ...claims, socketAddress: "::ffff:203.0.113.5" }, trusted).address).toBe("203.0.113.5");
});

test("what is no network is refused with its name", () => {
  expect(() => parseTrustedProxies("10.0.0.0/8,proxy.local")).toThrow("proxy.local");
  expect(() => parseTrustedProxies("10.0.0.0/99")).toThrow();
});
