import { heartbeat, type Reply } from "./story.ts";
import type { Story16 } from "./story-1.6.ts";

type Payload = Record<string, unknown>;
type Answer = (payload: Payload, story: Story16) => Reply;

const CONFIGURATION: Record<string, string> = {
  AuthorizeRemoteTxRequests: "false",
  ClockAlignedDataInterval: "0",
  ConnectionTimeOut: "60",
  HeartbeatInterval: "300",
  MeterValueSampleInterval: "60",
  MeterValuesSampledData: "Energy.Active.Import.Register,Power.Active.Import,Current.Import",
  NumberOfConnectors: "2",
  SupportedFeatureProfiles: "Core,RemoteTrigger",
  WebSocketPingInterval: "0",
};

const answer = (status: string, follow?: () => void): Reply => ({ result: { status }, ...(follow && { follow }) });
const accepted: Answer = () => answer("Accepted");

/** What a 1.6 station knows; anything else is NotImplemented. `Reset` is followed by the station itself. */
export const COMMANDS_16: ReadonlyMap<string, Answer> = new Map<string, Answer>([
  ["ChangeAvailability", changeAvailability],
  ["ChangeConfiguration", ({ key }) => answer(Object.hasOwn(CONFIGURATION, String(key)) ? "Accepted" : "NotSupported")],
  ["ClearCache", accepted],
  ["DataTransfer", () => answer("UnknownVendorId")],
  ["GetConfiguration", getConfiguration],
  ["RemoteStartTransaction", remoteStart],
  ["RemoteStopTransaction", remoteStop],
  ["Reset", accepted],
  ["TriggerMessage", trigger],
  ["UnlockConnector", unlock],
]);

function getConfiguration({ key }: Payload): Reply {
  const asked = Array.isArray(key) && key.length > 0 ? key.map(String) : Object.keys(CONFIGURATION);
  const known = asked.filter((name) => Object.hasOwn(CONFIGURATION, name));
  const unknownKey = asked.filter((name) => !known.includes(name));
  return {
    result: {
      ...(known.length > 0 && {
        configurationKey: known.map((name) => ({ key: name, readonly: false, value: CONFIGURATION[name] })),
      }),
      ...(unknownKey.length > 0 && { unknownKey }),
    },
  };
}

/** C16 §5.2. Of connector 0: of all. A connector in use is Scheduled, and here stays as it is. */
function changeAvailability({ connectorId, type }: Payload, { statuses, teller }: Story16): Reply {
  const asked = Number(connectorId);
  if (asked !== 0 && !statuses.has(asked)) return answer("Rejected");
  const [from, to] = type === "Operative" ? ["Unavailable", "Available"] : ["Available", "Unavailable"];
  const all = Array.from({ length: teller.settings.connectors }, (_, at) => at + 1);
  const meant = asked === 0 ? all : [asked];
  const changing = meant.filter((connector) => statuses.of(connector) === from);
  const inUse =
    type !== "Operative" && meant.some((connector) => statuses.of(connector) !== from && statuses.of(connector) !== to);
  return answer(inUse ? "Scheduled" : "Accepted", () => {
    for (const connector of changing) if (statuses.of(connector) === from) statuses.set(connector, to);
  });
}

function remoteStart({ connectorId, idTag }: Payload, story: Story16): Reply {
  const connector = connectorId === undefined ? 1 : Number(connectorId);
  if (story.isBusy || story.statuses.of(connector) !== "Available") return answer("Rejected");
  return answer("Accepted", () => {
    if (!story.isBusy) story.startRemotely(connector, String(idTag));
  });
}

function remoteStop({ transactionId }: Payload, story: Story16): Reply {
  if (transactionId === undefined || story.transactionId !== transactionId) return answer("Rejected");
  return answer("Accepted", () => {
    if (story.transactionId === transactionId) story.stopRemotely();
  });
}

function unlock({ connectorId }: Payload, story: Story16): Reply {
  const status = story.statuses.of(Number(connectorId));
  if (status === undefined) return answer("NotSupported");
  return answer(status === "Available" || status === "Unavailable" ? "Unlocked" : "UnlockFailed");
}

/** C16 §5.17: of one connector, or of all. */
function trigger({ requestedMessage, connectorId }: Payload, story: Story16): Reply {
  const { statuses, teller } = story;
  const all = Array.from({ length: teller.settings.connectors }, (_, at) => at + 1);
  if (connectorId !== undefined && !statuses.has(Number(connectorId))) return answer("Rejected");
  const meant = connectorId === undefined ? all : [Number(connectorId)];
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
      return answer("Accepted", () => teller.say(story.boot()));
    case "Heartbeat":
      return answer("Accepted", () => teller.say(heartbeat()));
    case "StatusNotification":
      return answer("Accepted", () => meant.forEach((connector) => statuses.tell(connector, true)));
    case "MeterValues":
      return answer("Accepted", () => meant.forEach((connector) => story.readNow(connector)));
    case "FirmwareStatusNotification":
    case "DiagnosticsStatusNotification":
      return answer("Accepted", idle(requestedMessage));
    default:
      return answer("NotImplemented");
  }
}
