import { type LoadProfile, readingsOf } from "./load-profile.ts";
import { Meter, type Reading } from "./meter.ts";
import { about, type Call, type Story, type Teller, timestamp, tokenStatus } from "./story.ts";

/** C16 §4.2. */
export const boot16 = (identity: string): Call => ({
  action: "BootNotification",
  payload: {
    chargePointVendor: "Loadtest",
    chargePointModel: "Swarm 16",
    chargePointSerialNumber: identity.slice(0, 25), // CiString25Type
    firmwareVersion: "1.0.0",
  },
});

/** What a 1.6 station says: one car after the other at its connector. C16 §4.1, 4.7 to 4.10. */
export function* story16(teller: Teller, profile: LoadProfile): Story {
  const { random, idTag } = teller;
  const meter = new Meter(random);
  yield status("Available");
  // Somewhere in its day: of a fleet, some are charging when it begins.
  const phase = teller.phase * (profile.idleSeconds + profile.chargingSeconds);
  let readings = readingsOf(profile);
  if (phase < profile.idleSeconds) yield { waitSeconds: profile.idleSeconds - phase };
  else readings = Math.max(1, Math.round((1 - (phase - profile.idleSeconds) / profile.chargingSeconds) * readings));
  for (;;) {
    yield status("Preparing");
    const authorized = yield { action: "Authorize", payload: { idTag } };
    if (tokenStatus(authorized) === "Accepted") yield* transaction(teller, meter, readings, profile);
    readings = readingsOf(profile);
    yield status("Available");
    yield { waitSeconds: about(profile.idleSeconds, random) };
  }
}

function* transaction(teller: Teller, meter: Meter, readings: number, profile: LoadProfile): Story {
  const { idTag, random } = teller;
  const started = yield {
    action: "StartTransaction",
    payload: { connectorId: 1, idTag, meterStart: meter.energyWh, timestamp: timestamp() },
    transactional: true,
  };
  const transactionId = started?.["transactionId"];
  if (transactionId === undefined) return;
  yield status("Charging");
  for (let n = 0; n < readings; n++) {
    yield { waitSeconds: about(profile.meterSeconds, random) };
    yield {
      action: "MeterValues",
      payload: { connectorId: 1, transactionId, meterValue: [meterValue(meter.sample(), "Sample.Periodic")] },
      transactional: true,
    };
  }
  yield {
    action: "StopTransaction",
    payload: {
      transactionId,
      idTag,
      meterStop: meter.energyWh,
      timestamp: timestamp(),
      reason: "Local",
      transactionData: [meterValue(meter.register(), "Transaction.End")],
    },
    transactional: true,
  };
  yield status("Finishing");
}

const status = (name: string): Call => ({
  action: "StatusNotification",
  payload: { connectorId: 1, errorCode: "NoError", status: name, timestamp: timestamp() },
});

const meterValue = (readings: readonly Reading[], context: string) => ({
  timestamp: timestamp(),
  sampledValue: readings.map(({ measurand, phase, value, unit }) => ({
    value: String(value),
    context,
    measurand,
    ...(phase !== undefined && { phase }),
    location: "Outlet",
    unit,
  })),
});
