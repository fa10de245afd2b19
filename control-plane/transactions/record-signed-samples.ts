import { createHash } from "node:crypto";
import type { Sql } from "../database.ts";
import type { SignedSample } from "./signed-sample.ts";

/** A signed value to be kept with its transaction. */
export interface ReceivedSignedSample {
  stationId: string;
  /** As the station names it. */
  transactionId: string;
  sampledAt: Date | null;
  receivedAt: Date;
  sample: SignedSample;
}

/** Keeps signed values for as long as their transaction, unchanged; the same one resent is there once. */
export async function recordSignedSamples(sql: Sql, received: readonly ReceivedSignedSample[]): Promise<void> {
  if (received.length === 0) return;
  await sql.query(
    `insert into signed_meter_values (station_id, transaction_id, digest, sampled_at, received_at, context, measurand, signed_data, signing_method, encoding_method, public_key)
     select * from unnest($1::bigint[], $2::text[], $3::bytea[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[])
       as s (station_id, transaction_id, digest)
     order by station_id, transaction_id, digest
     on conflict do nothing`,
    [
      received.map((r) => r.stationId),
      received.map((r) => r.transactionId),
      received.map(digestOf),
      received.map((r) => r.sampledAt?.toISOString() ?? null),
      received.map((r) => r.receivedAt.toISOString()),
      received.map((r) => r.sample.context),
      received.map((r) => r.sample.measurand),
      received.map((r) => r.sample.signedData),
      received.map((r) => r.sample.signingMethod),
      received.map((r) => r.sample.encodingMethod),
      received.map((r) => r.sample.publicKey),
    ],
  );
}

const digestOf = ({ sampledAt, sample }: ReceivedSignedSample): Buffer =>
  createHash("sha256")
    .update(
      JSON.stringify([
        sampledAt?.toISOString() ?? null,
        sample.signedData,
        sample.signingMethod,
        sample.encodingMethod,
        sample.publicKey,
        sample.context,
        sample.measurand,
      ]),
    )
    .digest();
