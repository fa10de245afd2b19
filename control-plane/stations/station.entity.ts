import { OCPP_VERSIONS } from "@dynamo-csms/proto/ocpp-version";
import { defineEntity, type InferEntity, p } from "@mikro-orm/core";

/** A charge point as it was registered. What is known of it since then lies in tables of facts. */
export const StationEntity = defineEntity({
  name: "Station",
  tableName: "stations",
  properties: {
    id: p.bigint("string").primary(),
    chargePointId: p.string().unique(),
    identity: p.string().unique(),
    identitySpelling: p.string(),
    orgId: p.string(),
    projectId: p.string().nullable(),
    registeredBy: p.string().nullable(),
    serialNumber: p.string(),
    vendor: p.string(),
    model: p.string(),
    ocppVersion: p.enum([...OCPP_VERSIONS]),
    maxPowerKw: p.decimal("number").nullable(),
    connectorCount: p.integer(),
    latitude: p.double().nullable(),
    longitude: p.double().nullable(),
    locationDescription: p.string().nullable(),
    retiredAt: p.datetime().nullable(),
    createdAt: p.datetime(),
  },
});
export type Station = InferEntity<typeof StationEntity>;
