import { OCPP_VERSIONS, SUBPROTOCOL, type OcppVersion } from "@dynamo-csms/proto/ocpp-version";

export interface ChosenSubprotocol {
  version: OcppVersion;
  /** The station's own spelling: it is echoed as it was offered (RFC 6455 §4.2.2). */
  token: string;
}

/** The tokens of Sec-WebSocket-Protocol, in the station's order of preference. A repeated header counts as one list (RFC 9110 §5.3). */
export function offeredSubprotocols(header: string): string[] {
  return header
    .split(",")
    .map((token) => token.trim())
    .filter((token) => token !== "");
}

/**
 * The first offered one that is among `versions` (J16 §3.2, 2.1 Part 4 §3.3). Upper case is forgiven: stations write
 * `OCPP1.6`. Undefined: none in common.
 */
export function chooseSubprotocol(
  offered: readonly string[],
  versions: readonly OcppVersion[],
): ChosenSubprotocol | undefined {
  for (const token of offered) {
    const version = OCPP_VERSIONS.find((known) => SUBPROTOCOL[known] === token.toLowerCase());
    if (version !== undefined && versions.includes(version)) return { version, token };
  }
  return undefined;
}
