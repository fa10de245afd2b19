import { type Check, LOOK_AGAIN_MS, LOOK_SOON_MS, mayAsk, OFFLINE_REMEDY } from "./check-scene.ts";

/** heartbeat: a Heartbeat since the connection opened; asked for by TriggerMessage, else the interval is waited for. */
export const checkHeartbeat: Check = {
  decide(scene) {
    const { facts, question, connectivityTest } = scene;
    // Without the connectivity test nobody asks who holds the socket now: any Heartbeat that was ever received counts.
    const since = connectivityTest
      ? facts.lastConnection?.isCurrent === true
        ? facts.lastConnection.openedAt
        : undefined
      : new Date(0);
    if (since !== undefined && facts.lastHeartbeatAt !== undefined && facts.lastHeartbeatAt >= since)
      return { kind: "passed" };
    // The gateway has the connection and the intake has not filed it yet.
    if (facts.connected && facts.lastConnection?.isCurrent !== true)
      return { kind: "waiting", againInMs: LOOK_SOON_MS };
    if (mayAsk(scene)) return { kind: "ask", action: "TriggerMessage", payload: { requestedMessage: "Heartbeat" } };
    return { kind: "waiting", againInMs: question?.state === "accepted" ? LOOK_SOON_MS : LOOK_AGAIN_MS };
  },
  giveUp({ facts }) {
    if (!facts.connected) return { cause: "The connection was lost before a Heartbeat came.", remedy: OFFLINE_REMEDY };
    return {
      cause: "No Heartbeat has come since the charge point connected.",
      remedy:
        "Check that its BootNotification was accepted and that its heartbeat interval is not 0 or very long; restart the charge point and start the commissioning again.",
    };
  },
};
