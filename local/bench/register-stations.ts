import { randomBytes } from "node:crypto";
import { stationRecord } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { digestPassword } from "@dynamo-csms/proto/station-password";
import { encodeStationRecord } from "@dynamo-csms/proto/station-record";
import type { Redis } from "ioredis";

/**
 * Writes the records of accepted stations as the control plane does. @param pepper known to the gateway as `p1`
 * @returns the lines `identity,password`
 */
export async function registerStations(redis: Redis, count: number, pepper: Buffer): Promise<string> {
  const lines: string[] = [];
  for (let from = 0; from < count; from += 1_000) {
    const batch = redis.pipeline();
    for (let at = from; at < Math.min(from + 1_000, count); at += 1) {
      const identity = `cs-${String(at).padStart(6, "0")}`;
      const password = randomBytes(15).toString("base64url");
      lines.push(`${identity},${password}\n`);
      const record = encodeStationRecord({
        v: 1,
        rev: 1,
        orgId: "org_bench",
        chargePointId: `cp_${at}`,
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
      batch.hset(stationRecord(identity as StationIdentity), "rev", 1, "record", record);
    }
    await batch.exec();
  }
  return lines.join("");
}
