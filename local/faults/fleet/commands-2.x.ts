import { heartbeat, type Reply } from "./story.ts";
import type { Story2x } from "./story-2.x.ts";

type Payload = Record<string, unknown>;
type Answer = (payload: Payload, story: Story2x) => Reply;

/** `Component.Variable` → its value. */
const VARIABLES: Record<string, string> = {
  "ChargingStation.Model": "Thin 2x",
  "ChargingStation.VendorName": "Fleet",
  "OCPPCommCtrlr.HeartbeatInterval": "300",
  "OCPPCommCtrlr.OfflineThreshold": "60",
  "SampledDataCtrlr.TxUpdatedInterval": "60",
};

interface Asked {
  component: { name: string };
  variable: { name: string };
}

const answer = (status: string, follow?: () => void): Reply => ({ result: { status }, ...(follow && { follow }) });
const accepted: Answer = () => answer("Accepted");

/** What a 2.x station knows; anything else is NotImplemented. `Reset` is followed by the station itself. */
export const COMMANDS_2X: ReadonlyMap<string, Answer> = new Map<string, Answer>([
  ["ChangeAvailability", changeAvailability],
  ["ClearCache", accepted],
  ["DataTransfer", () => answer("UnknownVendorId")],
  ["GetBaseReport", () => answer("NotSupported")],
  ["GetTransactionStatus", getTransactionStatus],
  ["GetVariables", getVariables],
  ["RequestStartTransaction", requestStart],
  ["RequestStopTransaction", requestStop],
  ["Reset", accepted],
  ["SetVariables", setVariables],
  ["TriggerMessage", trigger],
  ["UnlockConnector", unlock],
]);

const valueOf = ({ component, variable }: Asked): string | undefined => {
  const name = `${component.name}.${variable.name}`;
  return Object.hasOwn(VARIABLES, name) ? VARIABLES[name] : undefined;
};

function getVariables({ getVariableData }: Payload): Reply {
  const getVariableResult = (getVariableData as Asked[]).map((asked) => {
    const { component, variable } = asked;
    const attributeValue = valueOf(asked);
    if (attributeValue === undefined) return { attributeStatus: "UnknownVariable", component, variable };
    return { attributeStatus: "Accepted", attributeValue, component, variable };
  });
  return { result: { getVariableResult } };
}

function setVariables({ setVariableData }: Payload): Reply {
  const setVariableResult = (setVariableData as Asked[]).map((asked) => ({
    attributeStatus: valueOf(asked) === undefined ? "UnknownVariable" : "Accepted",
    component: asked.component,
    variable: asked.variable,
  }));
  return { result: { setVariableResult } };
}

/** E14. */
function getTransactionStatus({ transactionId }: Payload, { teller, transactionId: running }: Story2x): Reply {
  const messagesInQueue = teller.transactionMessages() > 0;
  if (transactionId === undefined) return { result: { messagesInQueue } };
  return { result: { ongoingIndicator: running === transactionId, messagesInQueue } };
}

/** G03, G04. Without an EVSE: all. One in use is Scheduled, and here stays as it is. */
function changeAvailability({ evse, operationalStatus }: Payload, { statuses, teller }: Story2x): Reply {
  const asked = (evse as { id: number } | undefined)?.id;
  if (asked !== undefined && !statuses.has(asked)) return answer("Rejected");
  const [from, to] = operationalStatus === "Operative" ? ["Unavailable", "Available"] : ["Available", "Unavailable"];
  const all = Array.from({ length: teller.settings.connectors }, (_, at) => at + 1);
  const meant = asked === undefined ? all : [asked];
  const inUse = operationalStatus !== "Operative" && meant.some((id) => statuses.of(id) === "Occupied");
  return answer(inUse ? "Scheduled" : "Accepted", () => {
    for (const id of meant) if (statuses.of(id) === from) statuses.set(id, to);
  });
}

function requestStart({ evseId, idToken, remoteStartId }: Payload, story: Story2x): Reply {
  const evse = evseId === undefined ? 1 : Number(evseId);
  if (story.isBusy || story.statuses.of(evse) !== "Available") return answer("Rejected");
  const { idToken: token, type } = idToken as { idToken: string; type: string };
  return answer("Accepted", () => {
    if (!story.isBusy) story.startRemotely(evse, { idToken: token, type }, Number(remoteStartId));
  });
}

function requestStop({ transactionId }: Payload, story: Story2x): Reply {
  if (transactionId === undefined || story.transactionId !== transactionId) return answer("Rejected");
  return answer("Accepted", () => {
    if (story.transactionId === transactionId) story.stopRemotely();
  });
}

function unlock({ evseId, connectorId }: Payload, { statuses }: Story2x): Reply {
  const status = statuses.of(Number(evseId));
  if (status === undefined || connectorId !== 1) return answer("UnknownConnector");
  return answer(status === "Occupied" ? "OngoingAuthorizedTransaction" : "Unlocked");
}

/** F06: of one EVSE, or of all. */
function trigger({ requestedMessage, evse }: Payload, story: Story2x): Reply {
  const { statuses, teller } = story;
  const all = Array.from({ length: teller.settings.connectors }, (_, at) => at + 1);
  const asked = (evse as { id: number } | undefined)?.id;
  if (asked !== undefined && !statuses.has(asked)) return answer("Rejected");
  const meant = asked === undefined ? all : [asked];
  const idle = (action: string) => () =>
    teller.say({
      action,
      key: `triggered:${action}:${teller.nextNumber()}`,
      transactional: false,
      early: true,
      payload: () => ({ status: "Idle" }),
    });
  switch (requestedMessage) {
    case "BootNotification":
      return answer("Accepted", () => teller.say(story.boot("Triggered")));
    case "Heartbeat":
      return answer("Accepted", () => teller.say(heartbeat()));
    case "StatusNotification":
      return answer("Accepted", () => meant.forEach((id) => statuses.tell(id, true)));
    case "MeterValues":
      return answer("Accepted", () => meant.forEach((id) => story.readNow(id)));
    case "TransactionEvent":
      return story.transactionId === undefined
        ? answer("Rejected")
        : answer("Accepted", () => void story.tellTransaction());
    case "FirmwareStatusNotification":
    case "LogStatusNotification":
      return answer("Accepted", idle(requestedMessage));
    default:
      return answer("NotImplemented");
  }
}
