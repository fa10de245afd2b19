import type { GatewayMetrics } from "../metrics.ts";
import type { Session } from "../sockets/session.ts";

/** Nothing is answered that is not stored: the station keeps it, and sends it again on its next connection. */
export function letGo(
  session: Session,
  why: "not-stored" | "no-decision",
  metrics: Pick<GatewayMetrics, "backpressureDrops">,
): void {
  if (session.open) metrics.backpressureDrops.inc({ why });
  session.close(1013, why === "not-stored" ? "cannot be stored now" : "cannot be decided now");
}
