import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";

type Payload = Record<string, unknown>;

/** The card that the sessions are charged with: known to the organisation. */
export const SESSION_TOKEN = "SESSION-CARD";

/** What a step of the session can do. */
export interface SessionPort {
  call(action: string, payload: Payload): Promise<Payload>;
  /** Sends a command by the REST API; resolves when the station accepted it, to the payload that came over the wire. */
  command(action: string, payload: Payload): Promise<Payload>;
  /** No connection from here to `online`: CALLs are kept, and sent in their order when it is back. */
  offline(): Promise<void>;
  online(): Promise<void>;
}

export interface SessionStep {
  what: string;
  run(port: SessionPort): Promise<void>;
}

const REGISTER = "Energy.Active.Import.Register";

/**
 * A charging session from the boot on: authorised at the station, started and stopped from afar, and charged while the connection
 * was cut and told afterwards.
 * @param startedAt the station's times count from here, so that two stations tell the same
 */
export function sessionSteps(version: OcppVersion, startedAt: Date): SessionStep[] {
  const at = (minutes: number) => new Date(startedAt.getTime() + minutes * 60_000).toISOString();
  return version === "1.6" ? steps16(at) : steps2(at);
}

function steps16(at: (minutes: number) => string): SessionStep[] {
  let transactionId = 0;
  const status = (port: SessionPort, word: string, minutes: number) =>
    port.call("StatusNotification", { connectorId: 1, errorCode: "NoError", status: word, timestamp: at(minutes) });
  const start = async (port: SessionPort, meterStart: number, minutes: number) => {
    const answer = await port.call("StartTransaction", {
      connectorId: 1,
      idTag: SESSION_TOKEN,
      meterStart,
      timestamp: at(minutes),
    });
    transactionId = Number(answer["transactionId"]);
    expectStatus("StartTransaction", answer["idTagInfo"]);
  };
  const meter = (port: SessionPort, energyWh: number, minutes: number) =>
    port.call("MeterValues", {
      connectorId: 1,
      transactionId,
      meterValue: [
        {
          timestamp: at(minutes),
          sampledValue: [
            { value: String(energyWh), measurand: REGISTER, unit: "Wh" },
            { value: "7.4", measurand: "Power.Active.Import", unit: "kW" },
          ],
        },
      ],
    });
  const stop = (port: SessionPort, meterStop: number, minutes: number, reason: string) =>
    port.call("StopTransaction", { transactionId, idTag: SESSION_TOKEN, meterStop, timestamp: at(minutes), reason });
  return [
    {
      what: "boot",
      run: async (port) => {
        const answer = await port.call("BootNotification", {
          chargePointVendor: "Alpitronic",
          chargePointModel: "HYC300",
          firmwareVersion: "3.4.1",
        });
        if (answer["status"] !== "Accepted") throw new Error(`boot: ${JSON.stringify(answer)}`);
      },
    },
    { what: "available", run: (port) => done(status(port, "Available", 0)) },
    {
      what: "authorize",
      run: async (port) =>
        expectStatus("Authorize", (await port.call("Authorize", { idTag: SESSION_TOKEN }))["idTagInfo"]),
    },
    { what: "start", run: (port) => start(port, 1_000, 1) },
    { what: "charging", run: (port) => done(status(port, "Charging", 1)) },
    { what: "meter values", run: (port) => done(meter(port, 1_100, 2)) },
    { what: "more meter values", run: (port) => done(meter(port, 1_200, 3)) },
    { what: "stop", run: (port) => done(stop(port, 1_250, 4, "Local")) },
    { what: "finishing", run: (port) => done(status(port, "Finishing", 4)) },
    {
      what: "remote start",
      run: (port) => done(port.command("RemoteStartTransaction", { connectorId: 1, idTag: SESSION_TOKEN })),
    },
    { what: "start after the remote start", run: (port) => start(port, 1_250, 10) },
    { what: "meter values of the second", run: (port) => done(meter(port, 1_400, 11)) },
    { what: "remote stop", run: (port) => done(port.command("RemoteStopTransaction", { transactionId })) },
    { what: "stop after the remote stop", run: (port) => done(stop(port, 1_500, 12, "Remote")) },
    { what: "start of the third", run: (port) => start(port, 1_500, 20) },
    {
      what: "charging without a connection, then telling it",
      run: async (port) => {
        await port.offline();
        const kept = [meter(port, 1_600, 21), meter(port, 1_700, 22), stop(port, 1_750, 23, "EVDisconnected")];
        // A whole session that nobody saw: its number is only known when it is told.
        const whole = port
          .call("StartTransaction", { connectorId: 1, idTag: SESSION_TOKEN, meterStart: 1_750, timestamp: at(30) })
          .then((answer) => (transactionId = Number(answer["transactionId"])));
        await port.online();
        await Promise.all([...kept, whole]);
        await stop(port, 1_800, 31, "Local");
      },
    },
    { what: "available again", run: (port) => done(status(port, "Available", 40)) },
  ];
}

function steps2(at: (minutes: number) => string): SessionStep[] {
  const idToken = { idToken: SESSION_TOKEN, type: "ISO14443" };
  const evse = { id: 1, connectorId: 1 };
  let seqNo = 0;
  const status = (port: SessionPort, word: string, minutes: number) =>
    port.call("StatusNotification", { timestamp: at(minutes), connectorStatus: word, evseId: 1, connectorId: 1 });
  const event = (
    port: SessionPort,
    transactionId: string,
    eventType: "Started" | "Updated" | "Ended",
    energyWh: number,
    minutes: number,
    more: { triggerReason: string; info?: Payload; [field: string]: unknown },
  ) => {
    if (eventType === "Started") seqNo = 0;
    const { info = {}, ...rest } = more;
    return port.call("TransactionEvent", {
      eventType,
      timestamp: at(minutes),
      seqNo: seqNo++,
      transactionInfo: { transactionId, ...info },
      evse,
      meterValue: [
        {
          timestamp: at(minutes),
          sampledValue: [
            { value: energyWh / 1_000, measurand: REGISTER, unitOfMeasure: { unit: "kWh" } },
            { value: 7.4, measurand: "Power.Active.Import", unitOfMeasure: { unit: "W", multiplier: 3 } },
          ],
        },
      ],
      ...rest,
    });
  };
  const charging = { triggerReason: "MeterValuePeriodic", info: { chargingState: "Charging" } };
  return [
    {
      what: "boot",
      run: async (port) => {
        const answer = await port.call("BootNotification", {
          reason: "PowerUp",
          chargingStation: { vendorName: "Alpitronic", model: "HYC300", firmwareVersion: "3.4.1" },
        });
        if (answer["status"] !== "Accepted") throw new Error(`boot: ${JSON.stringify(answer)}`);
      },
    },
    { what: "available", run: (port) => done(status(port, "Available", 0)) },
    {
      what: "authorize",
      run: async (port) => expectStatus("Authorize", (await port.call("Authorize", { idToken }))["idTokenInfo"]),
    },
    {
      what: "start",
      run: async (port) => {
        const answer = await event(port, "tx-1", "Started", 1_000, 1, { triggerReason: "Authorized", idToken });
        expectStatus("TransactionEvent", answer["idTokenInfo"]);
      },
    },
    { what: "occupied", run: (port) => done(status(port, "Occupied", 1)) },
    { what: "meter values", run: (port) => done(event(port, "tx-1", "Updated", 1_100, 2, charging)) },
    { what: "more meter values", run: (port) => done(event(port, "tx-1", "Updated", 1_200, 3, charging)) },
    {
      what: "stop",
      run: (port) =>
        done(
          event(port, "tx-1", "Ended", 1_250, 4, {
            triggerReason: "StopAuthorized",
            info: { stoppedReason: "Local" },
            idToken,
          }),
        ),
    },
    {
      what: "remote start",
      run: (port) => done(port.command("RequestStartTransaction", { remoteStartId: 7, evseId: 1, idToken })),
    },
    {
      what: "start after the remote start",
      run: (port) =>
        done(
          event(port, "tx-2", "Started", 1_250, 10, {
            triggerReason: "RemoteStart",
            info: { remoteStartId: 7 },
            idToken,
          }),
        ),
    },
    { what: "meter values of the second", run: (port) => done(event(port, "tx-2", "Updated", 1_400, 11, charging)) },
    {
      what: "remote stop",
      run: (port) => done(port.command("RequestStopTransaction", { transactionId: "tx-2" })),
    },
    {
      what: "stop after the remote stop",
      run: (port) =>
        done(
          event(port, "tx-2", "Ended", 1_500, 12, { triggerReason: "RemoteStop", info: { stoppedReason: "Remote" } }),
        ),
    },
    {
      what: "start of the third",
      run: (port) => done(event(port, "tx-3", "Started", 1_500, 20, { triggerReason: "Authorized", idToken })),
    },
    {
      what: "charging without a connection, then telling it",
      run: async (port) => {
        await port.offline();
        const kept = [
          event(port, "tx-3", "Updated", 1_600, 21, { ...charging, offline: true }),
          event(port, "tx-3", "Updated", 1_700, 22, { ...charging, offline: true }),
          event(port, "tx-3", "Ended", 1_750, 23, {
            triggerReason: "EVDeparted",
            info: { stoppedReason: "EVDisconnected" },
            offline: true,
          }),
          event(port, "tx-4", "Started", 1_750, 30, { triggerReason: "Authorized", idToken, offline: true }),
          event(port, "tx-4", "Ended", 1_800, 31, {
            triggerReason: "StopAuthorized",
            info: { stoppedReason: "Local" },
            idToken,
            offline: true,
          }),
        ];
        await port.online();
        await Promise.all(kept);
      },
    },
    { what: "available again", run: (port) => done(status(port, "Available", 40)) },
  ];
}

const done = async (work: Promise<unknown>): Promise<void> => void (await work);

function expectStatus(action: string, info: unknown): void {
  const status = (info as { status?: unknown } | undefined)?.status;
  if (status !== "Accepted") throw new Error(`${action}: ${JSON.stringify(info)}`);
}
