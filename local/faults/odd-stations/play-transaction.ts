import type { OddStation } from "./odd-station.ts";

const ID_TAG = "FLEET-TAG";

/** A transaction of OCPP 1.6 on connector 1, from its start to its stop. False: something of it was not answered. */
export async function playTransaction(station: OddStation, readings: number): Promise<boolean> {
  const startedAt = new Date().toISOString();
  const ref = `start:1:${startedAt}`;
  const started = await station.ask(
    "StartTransaction",
    { connectorId: 1, idTag: ID_TAG, meterStart: 0, timestamp: startedAt },
    ref,
  );
  if (started === undefined) return false;
  const { transactionId } = started;
  for (let n = 1; n <= readings; n++) {
    const timestamp = new Date().toISOString();
    const sampledValue = [{ value: String(n * 100), measurand: "Energy.Active.Import.Register", unit: "Wh" }];
    const payload = { connectorId: 1, transactionId, meterValue: [{ timestamp, sampledValue }] };
    if ((await station.ask("MeterValues", payload, `meter:${ref}:${timestamp}:1`)) === undefined) return false;
  }
  const timestamp = new Date().toISOString();
  const stop = { transactionId, idTag: ID_TAG, meterStop: readings * 100, timestamp, reason: "Local" };
  return (await station.ask("StopTransaction", stop, `stop:${ref}:${timestamp}`)) !== undefined;
}
