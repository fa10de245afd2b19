import ipaddr from "ipaddr.js";

/** What one subscriber has of IPv6 at least (RFC 6177): the first four of its eight groups. */
const SUBSCRIBER_GROUPS = 4;

/**
 * What an address is counted by: an IPv4 address as it is, of an IPv6 address the /64 that its subscriber may choose from
 * freely. A text that is no address is counted as it is.
 */
export function addressGroup(remoteAddress: string): string {
  if (!ipaddr.isValid(remoteAddress)) return remoteAddress;
  const address = ipaddr.process(remoteAddress);
  if (address.kind() === "ipv4") return address.toString();
  const groups = (address as ipaddr.IPv6).parts.slice(0, SUBSCRIBER_GROUPS);
  return `${groups.map((group) => group.toString(16)).join(":")}::/64`;
}
