import type { RequestPayload } from "@dynamo-csms/ocpp-schemas/payloads";
import type { FactOrigin } from "../device-model/read-variables.ts";
import { itemKey, type ItemChange } from "../station-items/record-items.ts";

interface Control {
  id: string;
  type: string;
  isDefault: boolean;
  isSuperseded: boolean;
  settings: object;
}

/** A control as an item; `settings` as OCPP has them. */
export const controlItem = (
  origin: FactOrigin,
  control: Omit<Control, "settings"> & { settings: object },
): ItemChange => ({
  ...origin,
  kind: "der_control",
  key: itemKey(control.id),
  present: true,
  data: {
    control_id: control.id,
    control_type: control.type,
    is_default: control.isDefault,
    is_superseded: control.isSuperseded,
    settings: control.settings,
  },
});

/** That other controls took their place, until those end. */
export const supersededItems = (origin: FactOrigin, ids: readonly string[]): ItemChange[] =>
  ids.map((id) => ({
    ...origin,
    kind: "der_control",
    key: itemKey(id),
    present: true,
    data: { control_id: id, is_superseded: true },
    adds: true,
  }));

/** Of one message of the answer to a GetDERControl (2.1 Part 2 R04 ReportDERControl). */
export function itemsOfDerReport(report: RequestPayload<"2.1", "ReportDERControl">, origin: FactOrigin): ItemChange[] {
  // Enter-service settings and gradients are not superseded, and are defaults by their nature.
  const always = { isDefault: true, isSuperseded: false };
  const controls: Control[] = [
    ...(report.curve ?? []).map((one) => ({ ...one, type: one.curveType, settings: one.curve })),
    ...(report.enterService ?? []).map((one) => ({
      ...one,
      ...always,
      type: "EnterService",
      settings: one.enterService,
    })),
    ...(report.fixedPFAbsorb ?? []).map((one) => ({ ...one, type: "FixedPFAbsorb", settings: one.fixedPF })),
    ...(report.fixedPFInject ?? []).map((one) => ({ ...one, type: "FixedPFInject", settings: one.fixedPF })),
    ...(report.fixedVar ?? []).map((one) => ({ ...one, type: "FixedVar", settings: one.fixedVar })),
    ...(report.freqDroop ?? []).map((one) => ({ ...one, type: "FreqDroop", settings: one.freqDroop })),
    ...(report.gradient ?? []).map((one) => ({ ...one, ...always, type: "Gradients", settings: one.gradient })),
    ...(report.limitMaxDischarge ?? []).map((one) => ({
      ...one,
      type: "LimitMaxDischarge",
      settings: one.limitMaxDischarge,
    })),
  ];
  return controls.map((control) => controlItem(origin, control));
}

/** A control began or ended (2.1 Part 2 R02 NotifyDERStartStop): it stays set, whether at work or not. */
export const itemsOfDerStartStop = (
  { controlId, started, timestamp, supersededIds = [] }: RequestPayload<"2.1", "NotifyDERStartStop">,
  origin: FactOrigin,
): ItemChange[] => [
  {
    ...origin,
    kind: "der_control",
    key: itemKey(controlId),
    present: true,
    data: { control_id: controlId, started, changed_at: timestamp },
    adds: true,
  },
  ...supersededItems(origin, supersededIds),
];
