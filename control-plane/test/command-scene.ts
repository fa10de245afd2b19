import { randomUUID } from "node:crypto";
import type { CommandMessage, CommandOutcome } from "@dynamo-csms/proto/command-message";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { ApiWorld } from "./api-world.ts";
import { type Answer, type FakeGateway, startFakeGateway } from "./fake-gateway.ts";

export const ACCEPTED: CommandOutcome = { state: "accepted", response: '{"status":"Accepted"}' };

/** Scenes of one test file over the real API. */
export function commandScenes(world: () => ApiWorld) {
  const gateways: FakeGateway[] = [];
  let serial = 0;
  return {
    /** To be called after each test. */
    async end(): Promise<void> {
      for (const gateway of gateways.splice(0)) await gateway.stop();
    },
    /** An accepted charge point of this version, on a gateway where the station answers like this. */
    async scene(version: OcppVersion, answer: Answer = () => ACCEPTED) {
      const { key, orgId, keyId } = await world().organization();
      const installer = await world().installer();
      const projectId = await world().project(key, installer.installerId);
      const registered = await world().ask("POST", "/api/v1/installer/charge-points", {
        as: installer.token,
        body: {
          project_id: projectId,
          serial_number: `SN-${(serial += 1)}`,
          model: "M",
          vendor: "V",
          ocpp_version: version,
          max_power_kw: 22,
          connector_count: 2,
        },
      });
      const id: string = registered.body.charge_point_id;
      const [station] = await world().sql.query<{ id: string }>(
        "update stations set registration = 'accepted' where charge_point_id = $1 returning id::text as id",
        [id],
      );
      const gateway = await startFakeGateway(process.env["TEST_REDIS_URL"] as string, `node-${randomUUID()}`, answer);
      gateways.push(gateway);
      await gateway.hold(id as StationIdentity);
      return {
        key,
        keyId,
        orgId,
        id,
        stationId: station!.id,
        gateway,
        operator: (body: object, as = key) => world().ask("POST", `/api/v1/cpo/commands/${id}`, { as, body }),
        raw: (api: string, body: object, as = key) =>
          world().ask("POST", `/api/v1/${api}/send_command`, { as, body: { charge_point_id: id, ...body } }),
        get: (path: string, as = key) => world().ask("GET", path, { as }),
        leave: () => gateway.letGo(id as StationIdentity),
        comeBack: () => gateway.hold(id as StationIdentity),
      };
    },
  };
}

type Response = object | ((command: CommandMessage) => object);

/** A station that answers with these payloads: accepted where their status is a positive one, or there is none. */
const answering =
  (response: Response) =>
  (command: CommandMessage): CommandOutcome => {
    const payload =
      typeof response === "function" ? (response as (command: CommandMessage) => object)(command) : response;
    const { status } = payload as { status?: string };
    const positive = [undefined, "Accepted", "AcceptedCanceled", "Scheduled"].includes(status);
    return { state: positive ? "accepted" : "rejected", response: JSON.stringify(payload) };
  };

const API: Record<OcppVersion, string> = { "1.6": "ocpp16", "2.0.1": "ocpp201", "2.1": "ocpp21" };

/** A scene with a station that answers like this, raw commands to it, and what the API shows of it. */
export async function settingScene(
  scenes: ReturnType<typeof commandScenes>,
  version: OcppVersion,
  response: Response = { status: "Accepted" },
) {
  const scene = await scenes.scene(version, answering(response));
  return {
    ...scene,
    send: async (command: string, payload: object) => (await scene.raw(API[version], { command, payload })).body,
    shows: async (what: string) => (await scene.get(`/api/v1/charge-points/${scene.id}/${what}`)).body,
  };
}
