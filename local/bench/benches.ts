import type { Bench } from "./contract.ts";
import { appendfsync } from "./rows/appendfsync.ts";
import { commands } from "./rows/commands.ts";
import { decisions } from "./rows/decisions.ts";
import { gateways } from "./rows/gateways.ts";
import { handshake } from "./rows/handshake.ts";
import { idleMemory } from "./rows/idle-memory.ts";
import { intake } from "./rows/intake.ts";
import { latency } from "./rows/latency.ts";
import { ocpp16 } from "./rows/ocpp-16.ts";
import { stations } from "./rows/stations.ts";
import { system } from "./rows/system.ts";
import { tracing } from "./rows/tracing.ts";
import { transactionEvent } from "./rows/transaction-event.ts";

/** All that is measured, in the order of the table. */
export const BENCHES: readonly Bench[] = [
  ocpp16,
  transactionEvent,
  appendfsync,
  latency,
  stations,
  gateways,
  idleMemory,
  handshake,
  intake,
  system,
  decisions,
  commands,
  tracing,
];
