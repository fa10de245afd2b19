/** What a simulated station knows of its CALLs (loadtest/lib/ledger.ts). */
export interface StationLedger {
  station: string;
  /** Its CALLs that the message log keeps have the ids m1 to m<numbered>. */
  numbered: number;
  unanswered: string[];
  resent: number;
  /** By action. */
  answered: Record<string, number>;
  started: number;
  ended: number;
  heartbeatAtMs: number;
  /** Meter values that were answered. */
  readings: number;
  /** The last status that was answered. */
  status?: { name: string; at: string };
  /** It had no connection when the fleet had done its work. */
  away: boolean;
  absence: StationAbsence;
}

/** How long it was without a connection between two of them (loadtest/lib/absence.ts). */
export interface StationAbsence {
  times: number;
  /** Handshakes that were refused meanwhile. */
  refused: number;
  longestMs: number;
  /** The most that one took beyond the back-off that the station had drawn for it. */
  mostOverMs: number;
}

/** A command that did not end with its first request, or that failed (loadtest/lib/insist-on-command.ts). */
export interface CommandTrail {
  /** What each request came to, in order; the last one is how it ended: `accepted`, or why it failed. */
  trail: string[];
  seconds: number;
}

export interface PhaseStart {
  /** `end` is what comes after the last one. */
  phase: string;
  atMs: number;
}

/** What the scenarios wrote with console.log, sorted. */
export interface K6Lines {
  ledgers: StationLedger[];
  phases: PhaseStart[];
  /** Ids of commands that REST told as accepted. */
  commands: string[];
  trails: CommandTrail[];
}

/** Sorts the lines of k6's console; what is none of ours is left out. */
export function readK6Lines(lines: readonly string[]): K6Lines {
  const read: K6Lines = { ledgers: [], phases: [], commands: [], trails: [] };
  for (const line of lines) {
    if (!line.startsWith("{")) continue;
    const value = JSON.parse(line) as Partial<StationLedger & PhaseStart & CommandTrail & { command: string }>;
    if (value.station !== undefined) read.ledgers.push(value as StationLedger);
    else if (value.phase !== undefined) read.phases.push(value as PhaseStart);
    else if (value.trail !== undefined) read.trails.push(value as CommandTrail);
    else if (value.command !== undefined) read.commands.push(value.command);
  }
  return read;
}
