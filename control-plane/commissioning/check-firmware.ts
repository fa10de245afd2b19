import { type Check, LOOK_AGAIN_MS, LOOK_SOON_MS, mayAsk, OFFLINE_REMEDY } from "./check-scene.ts";

/** firmware_version: what BootNotification says; asked for by TriggerMessage where none is on record. */
export const checkFirmware: Check = {
  decide(scene) {
    const { facts, question } = scene;
    const version = facts.boot?.firmwareVersion?.trim() ?? "";
    if (version !== "") return { kind: "passed", value: version };
    const bootedSinceAsked =
      facts.boot !== undefined && question !== undefined && facts.boot.bootedAt >= question.askedAt;
    // The field is optional in every version (1.6 §6.1, 2.x ChargingStationType).
    if (
      facts.boot !== undefined &&
      (bootedSinceAsked || question?.state === "unsupported" || question?.state === "rejected")
    )
      return { kind: "skipped", cause: "The charge point's BootNotification carries no firmware version." };
    if (mayAsk(scene))
      return { kind: "ask", action: "TriggerMessage", payload: { requestedMessage: "BootNotification" } };
    return { kind: "waiting", againInMs: question?.state === "accepted" ? LOOK_SOON_MS : LOOK_AGAIN_MS };
  },
  giveUp({ facts }) {
    if (!facts.connected)
      return { cause: "The connection was lost before the firmware version was known.", remedy: OFFLINE_REMEDY };
    return {
      cause: "The charge point has sent no BootNotification.",
      remedy:
        "Restart the charge point: it tells its firmware version when it boots. Then start the commissioning again.",
    };
  },
};
