import { BlockList, isIP } from "node:net";
import { plainAddress } from "@dynamo-csms/proto/source-address";

/** The addresses whose word about the real peer is taken (PROXY protocol v2, X-Forwarded-For, X-Forwarded-Proto). */
export type TrustedProxies = BlockList;

const familyOf = (address: string) => (isIP(address) === 6 ? "ipv6" : "ipv4");

/** Reads `10.0.0.0/8,192.0.2.7,fd00::/8`; empty trusts nobody. Throws with the reason when it is none. */
export function parseTrustedProxies(text: string): TrustedProxies {
  const trusted = new BlockList();
  for (const part of text.split(",").map((each) => each.trim())) {
    if (part === "") continue;
    const [address = "", prefix] = part.split("/");
    if (isIP(address) === 0) throw new Error(`${part}: want addresses or networks such as 10.0.0.0/8`);
    if (prefix === undefined) trusted.addAddress(address, familyOf(address));
    else trusted.addSubnet(address, Number(prefix), familyOf(address));
  }
  return trusted;
}

export interface PeerClaims {
  /** Who opened the TCP connection. */
  socketAddress: string;
  /** From a PROXY v2 header; "" without one. The WebSocket library takes it from anybody. */
  proxiedAddress: string;
  forwardedFor: string;
  forwardedProto: string;
}

export interface RemotePeer {
  address: string;
  /** Whether the station speaks TLS to a trusted proxy; undefined: none says so. */
  tls?: boolean;
  /** What the request's headers say of the station is the word of a trusted proxy. */
  headersTrusted: boolean;
}

/**
 * The station's address, and whether it speaks TLS to the proxy. What a peer that is no trusted proxy says of itself is
 * ignored; of X-Forwarded-For the last entry counts that no trusted proxy stands for. A PROXY header comes from a proxy
 * that passes the bytes on: the HTTP headers behind it are the station's own words.
 */
export function remotePeer(claims: PeerClaims, trusted: TrustedProxies): RemotePeer {
  const socketAddress = plainAddress(claims.socketAddress);
  const isTrusted = (address: string) => isIP(address) !== 0 && trusted.check(address, familyOf(address));
  if (!isTrusted(socketAddress)) return { address: socketAddress, headersTrusted: false };
  const proxied = plainAddress(claims.proxiedAddress);
  if (isIP(proxied) !== 0) return { address: proxied, headersTrusted: false };
  const proto = claims.forwardedProto.trim().toLowerCase();
  const tls = proto === "" ? {} : { tls: ["https", "wss"].includes(proto) };
  const hops = claims.forwardedFor.split(",").map((hop) => plainAddress(hop.trim()));
  const station = hops.findLast((hop) => isIP(hop) !== 0 && !isTrusted(hop));
  return { address: station ?? socketAddress, ...tls, headersTrusted: true };
}
