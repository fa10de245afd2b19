import { isIPv6 } from "node:net";

/** What one subscriber has of IPv6 at least (RFC 6177): the first four of its eight groups. */
const SUBSCRIBER_GROUPS = 4;

/**
 * What counts as one source where something is limited per address: an IPv4 address, or the /64 of an IPv6 address, within
 * which whoever has one address has all of them. What is no address is a source of its own.
 */
export function sourceOf(text: string): string {
  const address = plainAddress(text);
  if (!isIPv6(address)) return address;
  const [front = "", back] = (address.split("%")[0] as string).split("::");
  const groupsOf = (part: string) => (part === "" ? [] : part.split(":"));
  const behind = groupsOf(back ?? "");
  // An IPv4 address at the end stands for two groups.
  const width = behind.length + (behind.at(-1)?.includes(".") === true ? 1 : 0);
  const groups = groupsOf(front);
  if (back !== undefined) groups.push(...Array<string>(Math.max(0, 8 - groups.length - width)).fill("0"), ...behind);
  const network = groups.slice(0, SUBSCRIBER_GROUPS).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(":")}::/64`;
}

/** IPv4 in an IPv6 socket is written as IPv4 (both spellings); everything else stays as it is. */
export function plainAddress(address: string): string {
  if (!address.includes(":")) return address;
  const mapped = /^(?:0000:0000:0000:0000:0000:ffff|::ffff):([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(address);
  if (mapped !== null) {
    const [high, low] = [Number.parseInt(mapped[1] as string, 16), Number.parseInt(mapped[2] as string, 16)];
    return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  }
  const dotted = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  return dotted?.[1] ?? address;
}
