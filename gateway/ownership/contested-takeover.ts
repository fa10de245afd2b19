import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { LivenessProbe } from "./liveness-probe.ts";
import type { Contested, StationOwnership, TakeOutcome } from "./station-ownership.ts";

interface Deps {
  ownership: Pick<StationOwnership, "take">;
  probe: Pick<LivenessProbe, "answers">;
}

interface Newcomer {
  attempt: string;
  admittedRev: number;
  remoteAddress: string;
}

/** `contestedBy`: whose silence let the newcomer in. */
export type TakenStation = TakeOutcome & { contestedBy?: Contested };

/** Each round asks another connection; more than two in a row means that everybody reconnects at once. */
const ROUNDS = 3;

/**
 * Takes a station over; where it is contested, only from a connection that no longer answers. "contested": it does, and the
 * newcomer has to wait. Rejects when Redis is away: what it did then `findAttempt` tells.
 */
export async function takeStation(
  identity: StationIdentity,
  newcomer: Newcomer,
  { ownership, probe }: Deps,
): Promise<TakenStation> {
  let outcome: TakenStation = await ownership.take(identity, { ...newcomer, deadEpoch: 0 });
  for (let round = 1; round <= ROUNDS && outcome.kind === "contested"; round++) {
    const contestedBy = outcome.by;
    const { node, epoch, takeovers } = contestedBy;
    const techInfo = `${takeovers} takeovers in 10 minutes; another connection from ${newcomer.remoteAddress} had to wait`;
    if (await probe.answers({ identity, node, epoch, techInfo })) return outcome;
    outcome = { ...(await ownership.take(identity, { ...newcomer, deadEpoch: epoch })), contestedBy };
  }
  return outcome;
}
