// One process of the fleet: several thousand stations. Started by start-fleet.ts, and gone with it.

import type { FleetBeginning, FleetOrder, FleetReport, NumberedOrder, NumberedReport } from "./fleet-orders.ts";
import { Tally, type FleetProcessContext } from "./fleet-process-context.ts";
import { LedgerFile } from "./ledger-file.ts";
import { Station } from "./station.ts";
import { StationPool } from "./station-pool.ts";
import { Wheel } from "./wheel.ts";

const BEAT_MS = 10;
const FLUSH_EVERY_MS = 200;

const nowMs = () => performance.timeOrigin + performance.now();
let running: { pool: StationPool; context: FleetProcessContext } | undefined;

function begin({ stations, seed, messageIdPrefix, ledger, ...rest }: FleetBeginning) {
  let messages = 0;
  const context: FleetProcessContext = {
    ...rest,
    ledger: new LedgerFile(ledger),
    tally: new Tally(),
    wheel: new Wheel(nowMs),
    nowMs,
    newMessageId: () => `${messageIdPrefix}-${(messages += 1).toString(36)}`,
  };
  const pool = new StationPool(
    stations.map(({ index, credentials }) => new Station({ ...context, credentials, index, seed })),
    context,
  );
  const beat = () => {
    if (pool.beat()) setImmediate(beatAgain);
  };
  const beatAgain = () => {
    if (context.wheel.turn()) setImmediate(beatAgain);
  };
  setInterval(beat, BEAT_MS);
  setInterval(() => context.ledger.flush(), FLUSH_EVERY_MS);
  return { pool, context };
}

function carryOut(order: FleetOrder): void {
  if (order.do === "begin") {
    running = begin(order.with);
    return;
  }
  if (running === undefined) throw new Error(`"${order.do}" before the beginning`);
  const { pool, context } = running;
  switch (order.do) {
    case "report":
      return;
    case "resetTimes":
      context.tally.handshakeMs.reset();
      context.tally.answerMs.reset();
      return;
    case "pace":
      return pool.pace(order.messagesPerSecond);
    case "connect":
      return pool.connect(order.withinMs);
    case "dropAll":
      return pool.dropAll(order.withinMs);
    case "stopReading":
      return pool.stopReading(order.count);
    case "configure":
      Object.assign(context.settings, order.settings);
      return;
    case "flush":
      return context.ledger.flush();
    case "close":
      return context.ledger.close();
  }
}

function report(): FleetReport {
  if (running === undefined) throw new Error("a report before the beginning");
  const { sent, acknowledged, errors, refusals, closes, handshakeMs, answerMs } = running.context.tally;
  const { user, system } = process.cpuUsage();
  return {
    ...running.pool.counts(),
    sent,
    acknowledged,
    errors,
    refusals,
    closes,
    handshakeMs: handshakeMs.counts(),
    answerMs: answerMs.counts(),
    cpuMs: (user + system) / 1_000,
    rssBytes: process.memoryUsage.rss(),
  };
}

process.on("message", ({ n, order }: NumberedOrder) => {
  carryOut(order);
  const last = order.do === "close";
  process.send?.({ n, report: report() } satisfies NumberedReport, () => {
    // What the sockets would still say is in no ledger any more.
    if (last) process.exit(0);
  });
});
// Whoever started us is gone.
process.on("disconnect", () => {
  running?.context.ledger.flush();
  process.exit(1);
});
