/** How a station of the fleet spends its day, in seconds of its own time. */
export interface LoadProfile {
  heartbeatSeconds: number;
  /** Between two meter values of a transaction. */
  meterSeconds: number;
  chargingSeconds: number;
  /** From the end of a transaction to the next car. */
  idleSeconds: number;
}

/** Messages of one transaction besides its meter values, by version: authorization, statuses, start and stop. */
const MESSAGES_AROUND = { "1.6": 7, "2.0.1": 6, "2.1": 6 } as const;

/** Meter values of one transaction. */
export const readingsOf = (profile: LoadProfile): number =>
  Math.max(1, Math.round(profile.chargingSeconds / profile.meterSeconds));

/** Messages that such a station sends in a second of its own time, on average. */
export function messagesPerSecond(profile: LoadProfile, version: keyof typeof MESSAGES_AROUND): number {
  const perTransaction = MESSAGES_AROUND[version] + readingsOf(profile);
  return 1 / profile.heartbeatSeconds + perTransaction / (profile.chargingSeconds + profile.idleSeconds);
}

/**
 * How much faster than a wall clock a fleet's time has to run for it to send so many messages a second. Below 1 it is slower.
 * @param fleet how many stations there are of each version
 */
export function paceFor(
  rate: number,
  profile: LoadProfile,
  fleet: Readonly<Partial<Record<keyof typeof MESSAGES_AROUND, number>>>,
): number {
  let natural = 0;
  for (const version of ["1.6", "2.0.1", "2.1"] as const)
    natural += (fleet[version] ?? 0) * messagesPerSecond(profile, version);
  return natural === 0 ? 1 : rate / natural;
}
