/** A CALL that a station wants to make. */
export interface Call {
  action: string;
  payload: Record<string, unknown>;
  /** Belongs to a transaction: kept and sent again until it is answered. */
  transactional?: boolean;
}

/** What a station does next: let time pass, in seconds of the fleet's, or make a CALL. */
export type Step = { waitSeconds: number } | Call;

/** The answer to a CALL; undefined: it got none, or a CALLERROR. */
export type Answer = Record<string, unknown> | undefined;

/** A station's life after its boot, one transaction after the other. It is told the answers to its CALLs. */
export type Story = Generator<Step, void, Answer>;

/** What a story is told about its station. */
export interface Teller {
  identity: string;
  idTag: string;
  /** From 0 to 1. */
  random(): number;
  /** From 0 to 1: where in its day it begins. Of any fleet as many begin everywhere, so that its rate is the same from the start. */
  phase: number;
}

/** Around so many seconds: no two stations are in step for long. */
export const about = (seconds: number, random: () => number): number => seconds * (0.9 + 0.2 * random());

export const timestamp = (): string => new Date().toISOString();

/** The status in an answer's idTagInfo or idTokenInfo. */
export function tokenStatus(answer: Answer): unknown {
  const info = (answer?.["idTagInfo"] ?? answer?.["idTokenInfo"]) as { status?: unknown } | undefined;
  return info?.status;
}
