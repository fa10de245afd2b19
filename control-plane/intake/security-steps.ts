import type { LaneEvent } from "@dynamo-csms/proto/lane-event";
import { signingRequestIn } from "../certificates/certificate-requests.ts";
import type { KnownStation } from "../stations/known-station.ts";
import type { Effects } from "./effects.ts";
import type { Step } from "./step.ts";

/** SignCertificate (2.x A02), all versions: decided and committed before it was answered, so only put back if Postgres lost it. */
export const signCertificate: Step = (call, effects) => {
  if ((call.answer as { status?: unknown } | undefined)?.status !== "Accepted") return;
  effects.signingRequests.push(signingRequestIn(call));
};

/** By which password or certificate a connection was let in. */
export function addCredentials(
  event: Extract<LaneEvent, { event: "opened" }>,
  station: KnownStation,
  at: Date,
  effects: Effects,
): void {
  const { verifier, clientCertificate } = event;
  if (verifier !== undefined) effects.passwordLogins.push({ stationId: station.id, verifier });
  if (clientCertificate !== undefined)
    effects.certificateUses.push({ stationId: station.id, fingerprint: clientCertificate.fingerprint, at });
}
