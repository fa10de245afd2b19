import { type LoadProfile, readingsOf } from "./load-profile.ts";
import { Meter, type Reading } from "./meter.ts";
import { about, type Call, type Story, type Teller, timestamp, tokenStatus } from "./story.ts";

/** 2.x B01. */
export const boot2x = (identity: string): Call => ({
  action: "BootNotification",
  payload: {
    reason: "PowerUp",
    chargingStation: {
      vendorName: "Loadtest",
      model: "Swarm 2x",
      serialNumber: identity.slice(0, 25),
      firmwareVersion: "1.0.0",
    },
  },
});

/** What a station of OCPP 2.0.1 or 2.1 says: one car after the other at its EVSE (E01 to E12, G01). */
export function* story2x(teller: Teller, profile: LoadProfile): Story {
  const { random } = teller;
  const idToken = { idToken: teller.idTag, type: "ISO14443" };
  const meter = new Meter(random);
  let number = 0;
  yield status("Available");
  // Somewhere in its day: of a fleet, some are charging when it begins.
  const phase = teller.phase * (profile.idleSeconds + profile.chargingSeconds);
  let readings = readingsOf(profile);
  if (phase < profile.idleSeconds) yield { waitSeconds: profile.idleSeconds - phase };
  else readings = Math.max(1, Math.round((1 - (phase - profile.idleSeconds) / profile.chargingSeconds) * readings));
  for (;;) {
    yield status("Occupied");
    const authorized = yield { action: "Authorize", payload: { idToken } };
    if (tokenStatus(authorized) === "Accepted") {
      // Unique for the station for ever (E01): no other run has this moment.
      const transactionId = `${Date.now().toString(36)}-${number++}-${Math.floor(random() * 1e9).toString(36)}`;
      yield* transaction({ transactionId, idToken, meter, readings, profile, random });
    }
    readings = readingsOf(profile);
    yield status("Available");
    yield { waitSeconds: about(profile.idleSeconds, random) };
  }
}

interface Charging {
  transactionId: string;
  idToken: { idToken: string; type: string };
  meter: Meter;
  readings: number;
  profile: LoadProfile;
  random(): number;
}

function* transaction({ transactionId, idToken, meter, readings, profile, random }: Charging): Story {
  let seqNo = 0;
  const event = (eventType: string, triggerReason: string, more: { state: string } & Record<string, unknown>): Call => {
    const { state, stoppedReason, ...fields } = more;
    return {
      action: "TransactionEvent",
      payload: {
        eventType,
        timestamp: timestamp(),
        triggerReason,
        seqNo: seqNo++,
        transactionInfo: {
          transactionId,
          chargingState: state,
          ...(stoppedReason !== undefined && { stoppedReason }),
        },
        evse: { id: 1, connectorId: 1 },
        ...fields,
      },
      transactional: true,
    };
  };
  yield event("Started", "Authorized", {
    state: "EVConnected",
    idToken,
    meterValue: [meterValue(meter.register(), "Transaction.Begin")],
  });
  yield event("Updated", "ChargingStateChanged", { state: "Charging" });
  for (let n = 0; n < readings; n++) {
    yield { waitSeconds: about(profile.meterSeconds, random) };
    const readingsNow = [meterValue(meter.sample(), "Sample.Periodic")];
    yield event("Updated", "MeterValuePeriodic", { state: "Charging", meterValue: readingsNow });
  }
  yield event("Ended", "StopAuthorized", {
    state: "EVConnected",
    stoppedReason: "Local",
    idToken,
    meterValue: [meterValue(meter.register(), "Transaction.End")],
  });
}

const status = (connectorStatus: string): Call => ({
  action: "StatusNotification",
  payload: { timestamp: timestamp(), connectorStatus, evseId: 1, connectorId: 1 },
});

const meterValue = (readings: readonly Reading[], context: string) => ({
  timestamp: timestamp(),
  sampledValue: readings.map(({ measurand, phase, value, unit }) => ({
    value,
    context,
    measurand,
    ...(phase !== undefined && { phase }),
    location: "Outlet",
    unitOfMeasure: { unit },
  })),
});
