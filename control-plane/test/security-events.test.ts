import { afterAll, beforeAll, expect, test } from "vitest";
import type { TestStation } from "./registered-station.ts";
import { startStationReportScene, type StationReportScene } from "./station-report-scene.ts";

let scene: StationReportScene;
beforeAll(async () => void (scene = await startStationReportScene(11)));
afterAll(() => scene.close());

const alertsOf = (station: TestStation) =>
  scene.world.rows(
    "select data->>'type' as type, data->>'source' as source from events where type = 'alert.triggered' and data->>'charge_point_id' = $1 order by recorded_at, 1",
    [station.chargePointId],
  );

test.each(["1.6", "2.0.1", "2.1"] as const)(
  "[1.8-events] security events of a %s station are kept, each once, and the critical ones are told once",
  async (version) => {
    const station = await scene.newStation(version);
    const tamper = { type: "TamperDetectionActivated", timestamp: "2026-05-01T10:00:00Z", techInfo: "cover" };
    const cp = await scene.sends(station, version, [
      ["SecurityEventNotification", tamper],
      ["SecurityEventNotification", { ...tamper, techInfo: "lid" }],
      ["SecurityEventNotification", { type: "InvalidMessages", timestamp: "2026-05-01T10:00:00Z" }],
    ]);
    // Resent, since its answer was lost.
    await scene.sends(station, version, [["SecurityEventNotification", tamper]], cp);
    const lane = await scene.world.openLane();
    await lane.append(
      cp.event({ event: "securityEvent", nodeId: "node-a", type: "InvalidTLSVersion", techInfo: "TLS 1.0" }),
      cp.event({ event: "securityEvent", nodeId: "node-a", type: "InvalidTLSVersion", techInfo: "TLS 1.0" }),
    );
    await scene.world.applied(lane);
    expect(
      await scene.world.rows(
        "select source, type, tech_info, critical from security_events where station_id = $1 order by source desc, type desc, tech_info",
        [station.id],
      ),
    ).toEqual([
      { source: "station", type: "TamperDetectionActivated", tech_info: "cover", critical: true },
      { source: "station", type: "TamperDetectionActivated", tech_info: "lid", critical: true },
      { source: "station", type: "InvalidMessages", tech_info: null, critical: false },
      // Noticed twice, so it happened twice.
      { source: "csms", type: "InvalidTLSVersion", tech_info: "TLS 1.0", critical: true },
      { source: "csms", type: "InvalidTLSVersion", tech_info: "TLS 1.0", critical: true },
    ]);
    expect((await alertsOf(station)).map(({ type, source }) => `${String(type)} by ${String(source)}`).sort()).toEqual([
      "InvalidTLSVersion by csms",
      "InvalidTLSVersion by csms",
      "TamperDetectionActivated by charge_point",
      "TamperDetectionActivated by charge_point",
    ]);
  },
);

test("[1.8-events] security events are append-only: only their retention shortens them", async () => {
  const station = await scene.newStation("2.0.1");
  await scene.sends(station, "2.0.1", [
    ["SecurityEventNotification", { type: "MemoryExhaustion", timestamp: "2026-05-01T10:00:00Z" }],
  ]);
  const refused = /append-only/;
  await expect(scene.world.rows("update security_events set type = 'x'")).rejects.toThrow(refused);
  await expect(scene.world.rows("delete from security_events")).rejects.toThrow(refused);
  await expect(scene.world.rows("truncate security_events")).rejects.toThrow(refused);
  await scene.world.rows("select forget_security_events('2000-01-01')");
  const left = "select 1 from security_events where station_id = $1";
  expect(await scene.world.rows(left, [station.id])).toHaveLength(1);
  await scene.world.rows("select forget_security_events(now() + interval '1 hour')");
  expect(await scene.world.rows(left, [station.id])).toEqual([]);
  await expect(scene.world.rows("update security_events set type = 'x' where false")).resolves.toEqual([]);
});
