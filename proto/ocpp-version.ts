/** The versions we speak, as they stand in URLs and in the REST API. */
export const OCPP_VERSIONS = ["1.6", "2.0.1", "2.1"] as const;
export type OcppVersion = (typeof OCPP_VERSIONS)[number];

/** WebSocket subprotocol token of each version (IANA registry; OCPP-J 1.6 §3.1.2, 2.1 Part 4 §3.1.2). */
export const SUBPROTOCOL: Record<OcppVersion, string> = {
  "1.6": "ocpp1.6",
  "2.0.1": "ocpp2.0.1",
  "2.1": "ocpp2.1",
};

/** Whether the text (of a URL, a flag, a request) names a version that we speak. */
export function isOcppVersion(text: string): text is OcppVersion {
  return (OCPP_VERSIONS as readonly string[]).includes(text);
}
