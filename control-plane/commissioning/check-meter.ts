import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import {
  type Check,
  type CheckScene,
  type EnergyReading,
  LOOK_AGAIN_MS,
  LOOK_SOON_MS,
  mayAsk,
  OFFLINE_REMEDY,
  type Verdict,
} from "./check-scene.ts";

/** The connector (1.6) or EVSE (2.x) whose meter is asked. */
const CONNECTOR = 1;
/** More than any station has ever delivered: a wrong unit or a broken register. */
const MAX_PLAUSIBLE_WH = 1e11;
/** How long after an accepted trigger its MeterValues are waited for. */
const SETTLE_MS = 5_000;
/** Two readings are compared where no earlier one is on record. */
const WANTED_READINGS = 2;

/**
 * meter_calibration: the total energy register arrives, is plausible and does not run backwards. The meter is asked by
 * TriggerMessage (1.6 §5.17, 2.x F06), twice where there is nothing to compare with.
 */
export const checkMeter: Check = {
  decide(scene) {
    const { facts, question } = scene;
    const wrong = findMistake(facts.readings, facts.earlierReadings);
    if (wrong !== undefined) return { kind: "failed", ...wrong };
    const good = facts.readings.filter((reading) => reading.energyWh !== null);
    const last = good.at(-1);
    if (last !== undefined && (good.length >= WANTED_READINGS || hasEarlier(last, facts.earlierReadings)))
      return passed(last);
    if (question?.state === "unsupported")
      return last === undefined
        ? {
            kind: "skipped",
            cause: "The charge point cannot be asked for meter values (TriggerMessage is not supported).",
          }
        : passed(last);
    if (settling(scene)) return { kind: "waiting", againInMs: LOOK_SOON_MS };
    if (last === undefined && facts.readings.length > 0) return { kind: "failed", ...NO_REGISTER };
    // The second reading did not come: the first one stands.
    if (last !== undefined && scene.asked >= WANTED_READINGS && question?.state !== "open") return passed(last);
    if (mayAsk(scene) || mayAskNext(scene, good.length)) return ask(facts.version);
    return { kind: "waiting", againInMs: LOOK_AGAIN_MS };
  },
  giveUp({ facts, question }) {
    if (!facts.connected)
      return { cause: "The connection was lost before the meter was read.", remedy: OFFLINE_REMEDY };
    if (question?.state === "rejected")
      return {
        cause: "The charge point refused to send meter values.",
        remedy:
          "Check in its own menu that the meter is wired and found, and that no fault is shown; then start the commissioning again, or start it with run_meter_calibration false.",
      };
    return {
      cause: "No meter values came although they were asked for.",
      remedy:
        "Check that the meter is wired and found by the charge point and that MeterValuesSampledData (1.6) or SampledDataCtrlr.TxUpdatedMeasurands (2.x) is not empty; then start the commissioning again.",
    };
  },
};

const NO_REGISTER = {
  cause: "The meter values have no Energy.Active.Import.Register.",
  remedy:
    "Add Energy.Active.Import.Register to the measurands that the charge point samples (1.6 MeterValuesSampledData, 2.x AlignedDataCtrlr.Measurands and SampledDataCtrlr), then start the commissioning again.",
};

function findMistake(
  readings: readonly EnergyReading[],
  earlier: readonly EnergyReading[],
): { cause: string; remedy: string } | undefined {
  const before = new Map(
    earlier
      .filter((reading) => reading.energyWh !== null)
      .map((reading) => [reading.connector, Number(reading.energyWh)]),
  );
  for (const { connector, energyWh } of readings) {
    if (energyWh === null) continue;
    const wattHours = Number(energyWh);
    if (!(wattHours >= 0 && wattHours <= MAX_PLAUSIBLE_WH))
      return {
        cause: `The energy register of connector ${connector} says ${energyWh} Wh, which no meter can have counted.`,
        remedy:
          "Check meter type, unit and transformer ratio in the charge point's configuration, then start the commissioning again.",
      };
    const former = before.get(connector);
    if (former !== undefined && wattHours < former)
      return {
        cause: `The energy register of connector ${connector} runs backwards: ${former} Wh, then ${energyWh} Wh.`,
        remedy:
          "Check that the meter is wired the right way round and is not reset at each reading; have it replaced if it stays, then start the commissioning again.",
      };
    before.set(connector, wattHours);
  }
  return undefined;
}

const hasEarlier = (reading: EnergyReading, earlier: readonly EnergyReading[]) =>
  earlier.some((e) => e.connector === reading.connector && e.energyWh !== null);
const passed = (reading: EnergyReading): Verdict => ({ kind: "passed", value: `${reading.energyWh} Wh` });

/** Its trigger is under way, or was accepted a moment ago and what it brings is not there yet. */
function settling({ question, facts, now }: CheckScene): boolean {
  if (question === undefined) return false;
  if (question.state === "open") return true;
  const brought = facts.readings.some((reading) => reading.energyWh !== null && reading.receivedAt >= question.askedAt);
  return (
    question.state === "accepted" &&
    !brought &&
    now.getTime() - (question.endedAt ?? question.askedAt).getTime() < SETTLE_MS
  );
}

/** After an accepted question: once more for a second reading, or because what it should have brought never came. */
const mayAskNext = ({ question, asked, facts }: CheckScene, readings: number): boolean =>
  facts.connected && question?.state === "accepted" && asked < WANTED_READINGS + 1 && readings < WANTED_READINGS;

function ask(version: OcppVersion): Verdict {
  const meter = version === "1.6" ? { connectorId: CONNECTOR } : { evse: { id: CONNECTOR } };
  return { kind: "ask", action: "TriggerMessage", payload: { requestedMessage: "MeterValues", ...meter } };
}
