type Payload = Record<string, unknown>;

const ACCEPTED = () => ({ status: "Accepted" });

/** What every station of the fleet answers to CALLs of ours; it carries out nothing but a triggered Heartbeat. */
const ANSWERS: ReadonlyMap<string, (payload: Payload) => Payload> = new Map<string, (payload: Payload) => Payload>([
  ["TriggerMessage", ACCEPTED],
  ["ChangeAvailability", ACCEPTED],
  ["ChangeConfiguration", ACCEPTED],
  ["ClearCache", ACCEPTED],
  ["SendLocalList", ACCEPTED],
  ["UnlockConnector", () => ({ status: "Unlocked" })],
  ["GetBaseReport", () => ({ status: "NotSupported" })],
  [
    "GetConfiguration",
    ({ key }) => ({
      configurationKey: (Array.isArray(key) ? key : ["HeartbeatInterval"]).map((name) => ({
        key: String(name),
        readonly: false,
        value: "300",
      })),
    }),
  ],
  [
    "GetVariables",
    ({ getVariableData }) => ({
      getVariableResult: (getVariableData as Payload[]).map(({ component, variable }) => ({
        attributeStatus: "Accepted",
        attributeValue: "300",
        component,
        variable,
      })),
    }),
  ],
  [
    "SetVariables",
    ({ setVariableData }) => ({
      setVariableResult: (setVariableData as Payload[]).map(({ component, variable }) => ({
        attributeStatus: "Accepted",
        component,
        variable,
      })),
    }),
  ],
]);

/** The payload of the CALLRESULT; undefined: the station does not implement it. */
export function answerTo(action: string, payload: Payload): Payload | undefined {
  return ANSWERS.get(action)?.(payload);
}
