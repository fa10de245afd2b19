import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { Action, Action16, Action201, Action21 } from "./payloads.ts";

/** Who may send the CALL: the station, the CSMS (we), or both. */
export type Direction = "station" | "csms" | "both";

/** OCPP 1.6 edition 2, §4 (station) and §5 (Central System); the security whitepaper edition 3 for its eleven. */
const DIRECTION_16 = {
  Authorize: "station",
  BootNotification: "station",
  CancelReservation: "csms",
  CertificateSigned: "csms",
  ChangeAvailability: "csms",
  ChangeConfiguration: "csms",
  ClearCache: "csms",
  ClearChargingProfile: "csms",
  DataTransfer: "both",
  DeleteCertificate: "csms",
  DiagnosticsStatusNotification: "station",
  ExtendedTriggerMessage: "csms",
  FirmwareStatusNotification: "station",
  GetCompositeSchedule: "csms",
  GetConfiguration: "csms",
  GetDiagnostics: "csms",
  GetInstalledCertificateIds: "csms",
  GetLocalListVersion: "csms",
  GetLog: "csms",
  Heartbeat: "station",
  InstallCertificate: "csms",
  LogStatusNotification: "station",
  MeterValues: "station",
  RemoteStartTransaction: "csms",
  RemoteStopTransaction: "csms",
  ReserveNow: "csms",
  Reset: "csms",
  SecurityEventNotification: "station",
  SendLocalList: "csms",
  SetChargingProfile: "csms",
  SignCertificate: "station",
  SignedFirmwareStatusNotification: "station",
  SignedUpdateFirmware: "csms",
  StartTransaction: "station",
  StatusNotification: "station",
  StopTransaction: "station",
  TriggerMessage: "csms",
  UnlockConnector: "csms",
  UpdateFirmware: "csms",
} as const satisfies Record<Action16, Direction>;

/** OCPP 2.0.1 part 2, "Messages": each says who sends it. */
const DIRECTION_201 = {
  Authorize: "station",
  BootNotification: "station",
  CancelReservation: "csms",
  CertificateSigned: "csms",
  ChangeAvailability: "csms",
  ClearCache: "csms",
  ClearChargingProfile: "csms",
  ClearDisplayMessage: "csms",
  ClearedChargingLimit: "station",
  ClearVariableMonitoring: "csms",
  CostUpdated: "csms",
  CustomerInformation: "csms",
  DataTransfer: "both",
  DeleteCertificate: "csms",
  FirmwareStatusNotification: "station",
  Get15118EVCertificate: "station",
  GetBaseReport: "csms",
  GetCertificateStatus: "station",
  GetChargingProfiles: "csms",
  GetCompositeSchedule: "csms",
  GetDisplayMessages: "csms",
  GetInstalledCertificateIds: "csms",
  GetLocalListVersion: "csms",
  GetLog: "csms",
  GetMonitoringReport: "csms",
  GetReport: "csms",
  GetTransactionStatus: "csms",
  GetVariables: "csms",
  Heartbeat: "station",
  InstallCertificate: "csms",
  LogStatusNotification: "station",
  MeterValues: "station",
  NotifyChargingLimit: "station",
  NotifyCustomerInformation: "station",
  NotifyDisplayMessages: "station",
  NotifyEVChargingNeeds: "station",
  NotifyEVChargingSchedule: "station",
  NotifyEvent: "station",
  NotifyMonitoringReport: "station",
  NotifyReport: "station",
  PublishFirmware: "csms",
  PublishFirmwareStatusNotification: "station",
  ReportChargingProfiles: "station",
  RequestStartTransaction: "csms",
  RequestStopTransaction: "csms",
  ReservationStatusUpdate: "station",
  ReserveNow: "csms",
  Reset: "csms",
  SecurityEventNotification: "station",
  SendLocalList: "csms",
  SetChargingProfile: "csms",
  SetDisplayMessage: "csms",
  SetMonitoringBase: "csms",
  SetMonitoringLevel: "csms",
  SetNetworkProfile: "csms",
  SetVariableMonitoring: "csms",
  SetVariables: "csms",
  SignCertificate: "station",
  StatusNotification: "station",
  TransactionEvent: "station",
  TriggerMessage: "csms",
  UnlockConnector: "csms",
  UnpublishFirmware: "csms",
  UpdateFirmware: "csms",
} as const satisfies Record<Action201, Direction>;

/** OCPP 2.1 part 2: everything of 2.0.1 with the same sender, and its own. */
const DIRECTION_21 = {
  ...DIRECTION_201,
  AdjustPeriodicEventStream: "csms",
  AFRRSignal: "csms",
  BatterySwap: "station",
  ChangeTransactionTariff: "csms",
  ClearDERControl: "csms",
  ClearTariffs: "csms",
  ClosePeriodicEventStream: "station",
  GetCertificateChainStatus: "station",
  GetDERControl: "csms",
  GetPeriodicEventStream: "csms",
  GetTariffs: "csms",
  NotifyAllowedEnergyTransfer: "csms",
  NotifyDERAlarm: "station",
  NotifyDERStartStop: "station",
  NotifyPeriodicEventStream: "station",
  NotifyPriorityCharging: "station",
  NotifySettlement: "station",
  NotifyWebPaymentStarted: "csms",
  OpenPeriodicEventStream: "station",
  PullDynamicScheduleUpdate: "station",
  ReportDERControl: "station",
  RequestBatterySwap: "csms",
  SetDefaultTariff: "csms",
  SetDERControl: "csms",
  UpdateDynamicSchedule: "csms",
  UsePriorityCharging: "csms",
  VatNumberValidation: "station",
} as const satisfies Record<Action21, Direction>;

interface Directions {
  "1.6": typeof DIRECTION_16;
  "2.0.1": typeof DIRECTION_201;
  "2.1": typeof DIRECTION_21;
}
type Sent<V extends OcppVersion, D extends Direction> = {
  [A in keyof Directions[V]]: Directions[V][A] extends D ? A : never;
}[keyof Directions[V]] &
  Action<V>;

/** Actions that a station may send us. */
export type StationAction<V extends OcppVersion> = Sent<V, "station" | "both">;
/** Actions that we may send to a station. */
export type CsmsAction<V extends OcppVersion> = Sent<V, "csms" | "both">;

// Maps, because action names come from the wire: "__proto__" and "constructor" are in every object.
const DIRECTIONS: Record<OcppVersion, ReadonlyMap<string, Direction>> = {
  "1.6": new Map(Object.entries(DIRECTION_16)),
  "2.0.1": new Map(Object.entries(DIRECTION_201)),
  "2.1": new Map(Object.entries(DIRECTION_21)),
};

/** Who sends this action; undefined if the version does not know it. Case counts, as in the spec. */
export function directionOf(version: OcppVersion, name: string): Direction | undefined {
  return DIRECTIONS[version].get(name);
}

/** Every action of a version, in the tables' order. */
export function actionsOf<V extends OcppVersion>(version: V): Action<V>[] {
  return [...DIRECTIONS[version].keys()] as Action<V>[];
}

/** Does this version know the action, whoever sends it? */
export function isAction<V extends OcppVersion>(version: V, name: string): name is Action<V> {
  return DIRECTIONS[version].has(name);
}

/** May a station of this version send us the action? */
export function isStationAction<V extends OcppVersion>(version: V, name: string): name is StationAction<V> {
  const direction = DIRECTIONS[version].get(name);
  return direction === "station" || direction === "both";
}

/** May we send the action to a station of this version? */
export function isCsmsAction<V extends OcppVersion>(version: V, name: string): name is CsmsAction<V> {
  const direction = DIRECTIONS[version].get(name);
  return direction === "csms" || direction === "both";
}

/** Is it sent as SEND (message type 6), which is never answered? Only one action of 2.1 is (2.1 part 4 §4.2.4, SEND). */
export function isSend(version: OcppVersion, name: string): boolean {
  return version === "2.1" && name === ("NotifyPeriodicEventStream" satisfies StationAction<"2.1">);
}
