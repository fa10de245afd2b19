import type { AttemptOutcome } from "@dynamo-csms/proto/connection-attempt";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";

/** Why a handshake is refused, as a metric label: a closed set. */
export type RefusalReason =
  | "not-an-upgrade"
  | "no-such-path"
  | "bad-identity"
  | "no-subprotocol"
  | "no-common-subprotocol"
  | "bad-credentials"
  | "no-client-certificate"
  | "bad-client-certificate"
  | "tls-required"
  | "client-certificate-required"
  | "retired"
  | "too-many-attempts"
  | "too-many-handshakes"
  | "handshake-overdue"
  | "handshakes-under-way"
  | "contested"
  | "flapping"
  | "storage-away"
  | "control-plane-away"
  | "draining"
  | "hung-up"
  | "internal";

export interface Refusal {
  reason: RefusalReason;
  /** This case, in words; only where it tells nothing to a stranger. */
  detail?: string;
  /** Told in Retry-After, where this case knows better than its reason. */
  retryAfterSeconds?: number;
  /** What the operator is told of it; absent: nothing. */
  attempt?: RefusedAttempt;
}

/** A refusal as the station's operator sees it, who may know more than whoever was refused. */
export interface RefusedAttempt {
  outcome: AttemptOutcome;
  /** Whom the URL names; absent: nobody that could exist. */
  identity?: StationIdentity;
  notes?: string[];
  detail?: string;
}

interface RefusalText {
  status: string;
  text: string;
  /** Told in Retry-After: a time between the two, so that whom we turn away together does not come again together. Stations may ignore it. */
  retryAfterSeconds?: readonly [least: number, most: number];
}

/** For who is turned away with many others: 500 a second are 7,500 in this time. */
const SPREAD = [5, 20] as const;

/** What the station's installer reads in its log: what was wrong, and what to do. `{detail}` is this case. */
const REFUSALS: Record<RefusalReason, RefusalText> = {
  "not-an-upgrade": {
    status: "426 Upgrade Required",
    text: "This is an OCPP-J endpoint: connect with a WebSocket (ws:// or wss://) and a subprotocol such as ocpp1.6.",
  },
  "no-such-path": {
    status: "404 Not Found",
    text: "There is no OCPP endpoint at this path. Use the connection URL that was given when the charge point was registered.",
  },
  "bad-identity": {
    status: "400 Bad Request",
    text: "The charge point id in the URL cannot be used: {detail}. Use the connection URL that was given when the charge point was registered.",
  },
  "no-subprotocol": {
    status: "400 Bad Request",
    text: "The Sec-WebSocket-Protocol header is missing: offer ocpp1.6, ocpp2.0.1 or ocpp2.1.",
  },
  "no-common-subprotocol": {
    status: "400 Bad Request",
    text: "None of the offered subprotocols can be used here: {detail}.",
  },
  "bad-credentials": {
    status: "401 Unauthorized",
    text: "Unknown charge point, or wrong password. The user name must be the charge point id of the URL.",
  },
  "no-client-certificate": {
    status: "403 Forbidden",
    text: "This endpoint is for charge points with a client certificate (security profile 3), and none was sent.",
  },
  "bad-client-certificate": {
    status: "403 Forbidden",
    text: "Unknown charge point, or a client certificate that is not its own: the common name must be its serial number, the organisation its operator's, and it must be in date and not revoked.",
  },
  "tls-required": {
    status: "403 Forbidden",
    text: "This charge point is registered with security profile 2: connect with TLS (wss://).",
  },
  "client-certificate-required": {
    status: "403 Forbidden",
    text: "This charge point is registered with security profile 3: connect to the endpoint for client certificates.",
  },
  retired: {
    status: "404 Not Found",
    text: "This charge point was retired. Register it again to use it.",
  },
  "too-many-attempts": {
    status: "429 Too Many Requests",
    text: "Too many failed attempts from this address. Check the charge point id and its password.",
    retryAfterSeconds: [60, 60],
  },
  "too-many-handshakes": {
    status: "503 Service Unavailable",
    text: "Too many charge points are connecting at this moment. Try again.",
    retryAfterSeconds: SPREAD,
  },
  "handshake-overdue": {
    status: "503 Service Unavailable",
    text: "Too many charge points are connecting at this moment, and this one waited for too long. Try again.",
    retryAfterSeconds: SPREAD,
  },
  "handshakes-under-way": {
    status: "429 Too Many Requests",
    text: "Earlier handshakes of this charge point are not through yet. Wait for their answer, or try again later.",
    retryAfterSeconds: [20, 20],
  },
  contested: {
    status: "429 Too Many Requests",
    text: "This charge point is connected already, and its connection answers. Two devices seem to share its identity.",
    retryAfterSeconds: [60, 60],
  },
  flapping: {
    status: "429 Too Many Requests",
    text: "This charge point connects again and again and does not stay. It is let in again after the time in Retry-After; check its line, its power supply and its keepalive.",
    retryAfterSeconds: [60, 60],
  },
  "storage-away": {
    status: "503 Service Unavailable",
    text: "Nothing can be stored at this moment, so nothing is accepted. Try again.",
    retryAfterSeconds: SPREAD,
  },
  "control-plane-away": {
    status: "503 Service Unavailable",
    text: "Charge points that connect for the first time cannot be checked at this moment. Try again.",
    retryAfterSeconds: SPREAD,
  },
  draining: {
    status: "503 Service Unavailable",
    text: "This node is stopping. Connect again: another node answers.",
    retryAfterSeconds: [1, 5],
  },
  "hung-up": {
    status: "400 Bad Request",
    text: "The connection was closed before it was checked.",
  },
  internal: {
    status: "500 Internal Server Error",
    text: "The connection could not be checked because of a fault on our side.",
  },
};

export interface RefusalAnswer {
  status: string;
  headers: [name: string, value: string][];
  body: string;
}

/**
 * The HTTP answer for a refusal. But for the time in Retry-After the same for each of a reason: an unknown charge point and a
 * wrong password read alike.
 * @param random 0 ≤ x < 1
 */
export function refusalAnswer(refusal: Refusal, random: () => number): RefusalAnswer {
  const { status, text, retryAfterSeconds } = REFUSALS[refusal.reason];
  const headers: RefusalAnswer["headers"] = [["Content-Type", "text/plain; charset=utf-8"]];
  if (refusal.reason === "bad-credentials") headers.push(["WWW-Authenticate", 'Basic realm="OCPP", charset="UTF-8"']);
  if (refusal.reason === "not-an-upgrade") headers.push(["Upgrade", "websocket"]);
  if (retryAfterSeconds !== undefined) {
    const [least, most] = retryAfterSeconds;
    const seconds = refusal.retryAfterSeconds ?? least + Math.floor(random() * (most - least + 1));
    headers.push(["Retry-After", String(seconds)]);
  }
  return { status, headers, body: `${text.replace("{detail}", () => refusal.detail ?? "see the documentation")}\n` };
}
