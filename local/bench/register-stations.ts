import { randomBytes } from "node:crypto";
import { stationRecord } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { digestPassword } from "@dynamo-csms/proto/station-password";
import { encodeStationRecord } from "@dynamo-csms/proto/station-record";
import type { Redis } from "ioredis";

/** A station, and what it charges under if it does. */
export interface RegisteredStation {
  identity: StationIdentity;
  transactionId?: number;
}

/** So many stations with names of no meaning. */
export const madeUpStations = (count: number): RegisteredStation[] =>
  Array.from({ length: count }, (_, at) => ({ identity: `cs-${String(at).padStart(6, "0")}` as StationIdentity }));

/**
 * Writes the records of accepted stations as the control plane does. @param pepper known to the gateway as `p1`
 * @returns the lines `identity,password`, with `,transaction` where there is one
 */
export async function registerStations(
  redis: Redis,
  stations: readonly RegisteredStation[],
  pepper: Buffer,
): Promise<string> {
  const lines: string[] = [];
  for (let from = 0; from < stations.length; from += 1_000) {
    const batch = redis.pipeline();
    for (const { identity, transactionId } of stations.slice(from, from + 1_000)) {
      const password = randomBytes(15).toString("base64url");
      lines.push(`${identity},${password}${transactionId === undefined ? "" : `,${transactionId}`}\n`);
      const record = encodeStationRecord({
        v: 1,
        rev: 1,
        orgId: "org_bench",
        chargePointId: identity,
        identitySpelling: identity,
        verifiers: [
          {
            digest: digestPassword(Buffer.from(password), pepper).toString("base64"),
            pepperId: "p1",
            encoding: "literal",
          },
        ],
        ocppVersions: ["1.6", "2.0.1", "2.1"],
        securityProfile: 1,
        registration: "accepted",
        heartbeatIntervalSeconds: 300,
        retired: false,
      });
      batch.hset(stationRecord(identity), "rev", 1, "record", record);
    }
    await batch.exec();
  }
  return lines.join("");
}
