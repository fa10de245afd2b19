import { type Check, LOOK_AGAIN_MS } from "./check-scene.ts";

/** ocpp_connection: a gateway holds the charge point's socket now. */
export const checkConnection: Check = {
  decide({ facts }) {
    return facts.connected ? { kind: "passed" } : { kind: "waiting", againInMs: LOOK_AGAIN_MS };
  },
  giveUp({ facts }) {
    const last = facts.lastConnection;
    if (last === undefined)
      return {
        cause: "The charge point has never connected.",
        remedy:
          "Check power, the network cable or SIM (APN, DNS) and that outgoing connections to the OCPP host are allowed; compare the backend URL in the charge point with ocpp_endpoint letter by letter (wss:// or ws://, path, charge_point_id) and enter provisioning_password as the Basic Auth password; then restart it and start the commissioning again.",
      };
    const ended =
      last.closedAt === null
        ? ""
        : ` It left at ${last.closedAt.toISOString()}${last.closeCode === null ? "" : ` (WebSocket close code ${last.closeCode})`}.`;
    return {
      cause: `The charge point was connected before and is not now.${ended}`,
      remedy:
        "Check power and signal on site and whether a second unit uses the same charge_point_id; restart the charge point and start the commissioning again.",
    };
  },
};
