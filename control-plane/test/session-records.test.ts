import { afterAll, beforeAll, expect, test } from "vitest";
import { connectionOf } from "./lane-double.ts";
import type { TestStation } from "./registered-station.ts";
import { accepted, EPOCH, event, start } from "./transaction-payloads.ts";
import { startTransactionScene, type TransactionScene } from "./transaction-scene.ts";

let scene: TransactionScene;
beforeAll(async () => {
  scene = await startTransactionScene();
  await scene.token("card-1", { maxActiveTransactions: null });
});
afterAll(() => scene.close());

test("what a meter signed is kept with its transaction, once, unchanged, and outlives the readings", async () => {
  const ocmf = 'OCMF|{"FV":"1.0","PG":"T12"}|{"SD":"304402200A"}';
  const [old, newer] = [await scene.newStation("1.6"), await scene.newStation("2.0.1")];
  const cp = connectionOf(old, "1.6", EPOCH);
  const signedStop = {
    transactionId: 950_000,
    meterStop: 200,
    timestamp: "2026-05-01T11:00:00Z",
    transactionData: [
      {
        timestamp: "2026-05-01T11:00:00Z",
        sampledValue: [{ value: ocmf, format: "SignedData", context: "Transaction.End" }, { value: "200" }],
      },
    ],
  };
  await scene.file(
    cp.call("StartTransaction", start(), { answer: accepted(950_000) }),
    cp.call("StopTransaction", signedStop, { answer: {} }),
    cp.call("StopTransaction", signedStop, { answer: {} }),
  );
  const cs = connectionOf(newer, "2.0.1", EPOCH);
  const signedMeterValue = {
    signedMeterData: "AQIDBA==",
    signingMethod: "ECDSA-secp256r1-SHA256",
    encodingMethod: "OCMF",
    publicKey: "b2NhOmJhc2UxNjphc24xOg==",
  };
  const meterValue = [{ timestamp: "2026-05-01T10:00:00Z", sampledValue: [{ value: 1.5, signedMeterValue }] }];
  await scene.file(cs.call("TransactionEvent", event("Started", 0, { meterValue }), { answer: {} }));
  await scene.rows("delete from meter_values");
  const kept = (station: TestStation) =>
    scene.rows(
      "select transaction_id, signed_data, signing_method, encoding_method, public_key, context from signed_meter_values where station_id = $1",
      [station.id],
    );
  expect(await kept(old)).toEqual([
    {
      transaction_id: "950000",
      signed_data: ocmf,
      signing_method: null,
      encoding_method: "OCMF",
      public_key: null,
      context: "Transaction.End",
    },
  ]);
  expect(await kept(newer)).toEqual([
    {
      transaction_id: "tx-1",
      signed_data: signedMeterValue.signedMeterData,
      signing_method: signedMeterValue.signingMethod,
      encoding_method: "OCMF",
      public_key: signedMeterValue.publicKey,
      context: null,
    },
  ]);
});

test("session.authorized is told of an Authorize that was answered Accepted, by whomever", async () => {
  const [old, newer] = [await scene.newStation("1.6"), await scene.newStation("2.0.1")];
  const cp = connectionOf(old, "1.6", EPOCH);
  const cs = connectionOf(newer, "2.0.1", EPOCH);
  await scene.file(
    cp.call("Authorize", { idTag: "CARD-1" }, { answer: { idTagInfo: { status: "Accepted" } } }),
    cp.call("Authorize", { idTag: "CARD-2" }, { answer: { idTagInfo: { status: "Blocked" } } }),
    cs.call(
      "Authorize",
      { idToken: { idToken: "CARD-1", type: "ISO14443" } },
      { answer: { idTokenInfo: { status: "Accepted" } } },
    ),
    cs.call(
      "Authorize",
      { idToken: { idToken: "CARD-1", type: "ISO14443" } },
      { answer: { idTokenInfo: { status: "Unknown" } } },
    ),
  );
  for (const station of [old, newer])
    expect(
      await scene.rows(
        "select type, data->>'id_token' as id_token, data->>'project_id' as project_id from events where data->>'charge_point_id' = $1",
        [station.chargePointId],
      ),
    ).toEqual([{ type: "session.authorized", id_token: "CARD-1", project_id: scene.project.projectId }]);
});
