import type { FactOrder } from "../stations/fact-order.ts";
import type { EndedCommand } from "./outcome-effects.ts";

/**
 * Where the facts of a command's answer stand among those of the station's messages. Before all others when the gateway, of
 * an older release, did not say: then they only fill what nothing is known of.
 */
export function originOf(command: EndedCommand): FactOrder & { stationId: string; receivedAt: Date } {
  return { stationId: command.stationId, receivedAt: command.at, ...(command.answeredAs ?? { epoch: 0, seq: 0 }) };
}
