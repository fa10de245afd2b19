import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";

/** The checks in the order in which they are shown. */
export const CHECK_NAMES = ["ocpp_connection", "heartbeat", "meter_calibration", "firmware_version"] as const;
export type CheckName = (typeof CHECK_NAMES)[number];

export type CheckStatus = "pending" | "in_progress" | "passed" | "failed" | "skipped";
export const isOpen = (status: CheckStatus): boolean => status === "pending" || status === "in_progress";

/** What became of the last CALL that a check sent. */
export type QuestionState =
  /** Under way, or about to be sent. */
  | "open"
  /** CALLRESULT Accepted. */
  | "accepted"
  /** The station said no this time. */
  | "rejected"
  /** The station has no such feature: NotImplemented or NotSupported. */
  | "unsupported"
  /** Nobody knows: it went offline, did not answer, or our process died. TriggerMessage is safe to repeat. */
  | "lost";

export interface Question {
  state: QuestionState;
  askedAt: Date;
  /** When its outcome was known. */
  endedAt: Date | undefined;
}

/** A reading of the total imported energy. */
export interface EnergyReading {
  connector: number;
  /** Decimal in Wh, as the station sent it; null: a meter message without the energy register. */
  energyWh: string | null;
  /** Gateway clock. */
  receivedAt: Date;
}

/** What is known about the station at this moment. */
export interface StationFacts {
  version: OcppVersion;
  /** Whether a live gateway holds its socket. */
  connected: boolean;
  /** The newest connection on record; of another epoch than `connected`'s for the moment that the intake needs. */
  lastConnection: { openedAt: Date; closedAt: Date | null; closeCode: number | null; isCurrent: boolean } | undefined;
  /** Why it is not connected; looked up when a check gives it up, undefined before. */
  diagnosis: { detail: string; remedy: string | null } | undefined;
  lastHeartbeatAt: Date | undefined;
  boot: { firmwareVersion: string | null; bootedAt: Date } | undefined;
  /** Meter messages since the commissioning's meter check started, in the order they came. */
  readings: EnergyReading[];
  /** The newest earlier reading of each connector. */
  earlierReadings: EnergyReading[];
}

/** What one check looks at. */
export interface CheckScene {
  now: Date;
  facts: StationFacts;
  /** Its last question to the station, and how many it asked. */
  question: Question | undefined;
  asked: number;
  connectivityTest: boolean;
}

export type Verdict =
  | { kind: "passed"; value?: string }
  | { kind: "failed"; cause: string; remedy: string }
  | { kind: "skipped"; cause: string }
  /** Nothing to do but look again. */
  | { kind: "waiting"; againInMs: number }
  /** Send this CALL to the station. */
  | { kind: "ask"; action: "TriggerMessage"; payload: Record<string, unknown> };

export interface Check {
  decide(scene: CheckScene): Verdict;
  /** Its deadline has passed while it waited. */
  giveUp(scene: CheckScene): { cause: string; remedy: string };
}

/** How often facts are looked at again that come by themselves. */
export const LOOK_AGAIN_MS = 1_000;
/** When something is expected any moment. */
export const LOOK_SOON_MS = 300;

const ASK_AGAIN_MS = 10_000;
const MAX_QUESTIONS = 6;

/** Whether the station should be asked now: not yet asked, or the last question was lost or turned down a while ago. */
export function mayAsk({ now, question, asked, facts }: CheckScene): boolean {
  if (!facts.connected || asked >= MAX_QUESTIONS) return false;
  if (question === undefined) return true;
  if (question.state === "open" || question.state === "unsupported" || question.state === "accepted") return false;
  // The connection that it was lost with is gone, and the station is back.
  if (
    question.state === "lost" &&
    facts.lastConnection?.isCurrent === true &&
    facts.lastConnection.openedAt > question.askedAt
  )
    return true;
  return now.getTime() - question.askedAt.getTime() >= ASK_AGAIN_MS;
}

/** For the remedies of checks that need a connection and lost it. */
export const OFFLINE_REMEDY =
  "Bring the charge point back online (power, network cable or SIM, signal), then start the commissioning again.";
