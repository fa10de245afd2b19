/**
 * What one station knows of its CALLs at the end: the program that started the run compares it with Postgres. CALLs that the
 * message log keeps are numbered m1, m2, … without a gap; heartbeats, which it does not keep, have other ids.
 */
export class Ledger {
  /** The highest number given to a CALL that is logged. */
  numbered = 0;
  /** Ids of those that were sent and never answered with a CALLRESULT. */
  readonly unanswered: string[] = [];
  /** How often a CALL was sent again under its id. */
  resent = 0;
  /** Answered, by action. */
  readonly answered: Record<string, number> = {};
  /** Transactions whose start and whose end were answered. */
  started = 0;
  ended = 0;
  /** When the last Heartbeat that was answered went out, in ms since 1970; 0: none. */
  heartbeatAtMs = 0;
  /** Meter values that were answered: each has a row of its own. */
  readings = 0;
  /** The last status that was answered, and its timestamp as it was sent. */
  status: { name: string; at: string } | undefined;
  /** It was without a connection when the fleet had done its work: it never came back, or never came. */
  away = false;
  #heartbeats = 0;

  nextId(action: string): string {
    return action === "Heartbeat" ? `h${++this.#heartbeats}` : `m${++this.numbered}`;
  }

  noteAnswer(action: string, payload: Record<string, unknown>, sentAtMs: number): void {
    this.answered[action] = (this.answered[action] ?? 0) + 1;
    if (action === "Heartbeat") this.heartbeatAtMs = sentAtMs;
    if (action === "StartTransaction" || payload["eventType"] === "Started") this.started += 1;
    if (action === "StopTransaction" || payload["eventType"] === "Ended") this.ended += 1;
    // 1.6: MeterValues and StopTransaction; 2.x: TransactionEvent.
    const readings = payload["meterValue"] ?? payload["transactionData"];
    if (Array.isArray(readings)) this.readings += readings.length;
    if (action === "StatusNotification")
      this.status = { name: String(payload["status"] ?? payload["connectorStatus"]), at: String(payload["timestamp"]) };
  }

  noteUnanswered(id: string): void {
    if (id.startsWith("m")) this.unanswered.push(id);
  }

  told(station: string): object {
    const { numbered, unanswered, resent, answered, started, ended, heartbeatAtMs, readings, status, away } = this;
    return { station, numbered, unanswered, resent, answered, started, ended, heartbeatAtMs, readings, status, away };
  }
}
