import { actionsOf } from "@dynamo-csms/ocpp-schemas/actions";
import type { PayloadScanner } from "@dynamo-csms/ocpp-schemas/payload-scanners";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { GatewayMetrics } from "../metrics.ts";
import type { HistogramSeries } from "../tallied-histogram.ts";
import type { Tally } from "../tallied-counter.ts";
import { classOf } from "./action-class.ts";
import { TELLS_SETTINGS } from "./mask-secrets.ts";
import { resultTail } from "./result-bytes.ts";
import { callsByName, type CallsByName } from "./scan-envelope.ts";

/** An action whose CALLs need nothing but to be valid and stored. */
export interface PlainAction {
  scan: PayloadScanner;
  /** Its answer from behind the message id on (result-bytes.ts); undefined: with the time. */
  answer: Uint8Array | undefined;
  /** CALLs that came. */
  frames: Tally;
  /** Until their answers. */
  durations: HistogramSeries;
}

export interface PlainActionsDeps {
  /** Undefined: there is none. */
  scannerOf(version: OcppVersion, action: string): PayloadScanner | undefined;
  /** For TransactionEvents alone that need no decision (transactionEventNeedsDecision). */
  updateScannerOf(version: OcppVersion): PayloadScanner | undefined;
  metrics: Pick<GatewayMetrics, "frames" | "callDuration">;
}

/** The plain actions of a version, to be found by their names' bytes. */
export function plainActions(version: OcppVersion, deps: PlainActionsDeps): CallsByName<PlainAction> {
  return callsByName(
    actionsOf(version).flatMap((action) => {
      const plain = plainAction(version, action, deps);
      return plain === undefined ? [] : [[action, plain] as const];
    }),
  );
}

function plainAction(version: OcppVersion, action: string, deps: PlainActionsDeps): PlainAction | undefined {
  // What tells settings is masked before it is stored.
  if (TELLS_SETTINGS.has(action)) return undefined;
  const known = classOf(version, action, false);
  switch (known?.class) {
    case "edge":
      return made(deps.scannerOf(version, action), resultTail(known.payload));
    case "edge-with-time":
      return made(deps.scannerOf(version, action), undefined);
    case "transaction-event":
      return made(deps.updateScannerOf(version), resultTail("{}"));
    default:
      return undefined;
  }

  function made(scan: PayloadScanner | undefined, answer: Uint8Array | undefined): PlainAction | undefined {
    if (scan === undefined) return undefined;
    return {
      scan,
      answer,
      frames: deps.metrics.frames.tally({ direction: "in", type: "call", action, version }),
      durations: deps.metrics.callDuration.series({ direction: "in", action, outcome: "result" }),
    };
  }
}
