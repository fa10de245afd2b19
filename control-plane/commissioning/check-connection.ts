import { type Check, LOOK_AGAIN_MS } from "./check-scene.ts";

/** ocpp_connection: a gateway holds the charge point's socket now. */
export const checkConnection: Check = {
  decide({ facts }) {
    return facts.connected ? { kind: "passed" } : { kind: "waiting", againInMs: LOOK_AGAIN_MS };
  },
  giveUp({ facts: { diagnosis } }) {
    return {
      cause: diagnosis?.detail ?? "The charge point is not connected.",
      remedy: `${diagnosis?.remedy ?? "Restart the charge point."} Then start the commissioning again.`,
    };
  },
};
