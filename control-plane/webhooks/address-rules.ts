import ipaddr from "ipaddr.js";

export type Network = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Reads CIDRs. Throws at the first that is none. */
export function parseNetworks(cidrs: readonly string[]): Network[] {
  return cidrs.map((cidr) => ipaddr.parseCIDR(cidr));
}

/** IPv6 carries an IPv4 address here for a translator or tunnel: where it goes is decided by the network, not by us. */
const TRANSLATED: Network[] = parseNetworks(["64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96"]);
/** All of the public IPv6 internet that was ever assigned. */
const GLOBAL_IPV6: Network = ipaddr.parseCIDR("2000::/3");

/**
 * The reason why an address may not be reached, or undefined. Public means: ordinary unicast, nothing reserved for special
 * use (IANA special-purpose registries), no form that hides an IPv4 address.
 * @param allowPrivate development: loopback too; private networks and link-local (cloud metadata) stay forbidden.
 */
export function refuseAddress(text: string, allowPrivate: boolean, blocked: readonly Network[]): string | undefined {
  // A zone (fe80::1%eth0) exists for link-local addresses alone.
  if (!ipaddr.isValid(text) || text.includes("%")) return "is not a public address";
  const address = ipaddr.process(text); // ::ffff:a.b.c.d becomes a.b.c.d
  if (blocked.some((network) => within(address, network))) return "is in a blocked network";
  const range = address.range();
  if (allowPrivate && range === "loopback") return undefined;
  if (range !== "unicast") return "is not a public address";
  if (
    address.kind() === "ipv6" &&
    (!within(address, GLOBAL_IPV6) || TRANSLATED.some((network) => within(address, network)))
  )
    return "is not a public address";
  return undefined;
}

function within(address: ipaddr.IPv4 | ipaddr.IPv6, [network, bits]: Network): boolean {
  return address.kind() === network.kind() && address.match(network, bits);
}
