import { stationRecord } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { decodeStationRecord } from "@dynamo-csms/proto/station-record";
import type { ApiWorld } from "./api-world.ts";

/** The unit of the quickstart. */
export const UNIT = {
  serial_number: "SN-ABX-20240501-007",
  model: "Alpitronic HYC300",
  vendor: "Alpitronic",
  ocpp_version: "2.0.1",
  max_power_kw: 300,
  connector_count: 2,
  location: { latitude: 51.5074, longitude: -0.1278, description: "Bay 4, Level P1" },
};

/** An installer with a project of a new organisation, who registers the quickstart's unit, or one that differs. */
export async function registeringInstaller(world: ApiWorld) {
  const { key, orgId } = await world.organization();
  const installer = await world.installer();
  const projectId = await world.project(key, installer.installerId);
  const register = (overrides: object = {}) =>
    world.ask("POST", "/api/v1/installer/charge-points", {
      as: installer.token,
      body: { project_id: projectId, ...UNIT, ...overrides },
    });
  return { key, orgId, ...installer, projectId, register };
}

/** What the gateways know of a station. */
export async function recordOf(world: ApiWorld, chargePointId: string) {
  const text = await world.redis.hget(stationRecord(chargePointId as StationIdentity), "record");
  return text === null ? undefined : decodeStationRecord(text);
}
