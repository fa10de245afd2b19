import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { validatePayload } from "@dynamo-csms/ocpp-schemas/validators";
import { expect } from "vitest";
import { type AnsweredCommand, recordAnswer } from "./answered-command.ts";
import { createIntakeWorld } from "./intake-world.ts";
import { connectionOf } from "./lane-double.ts";
import { registerStation, type TestStation } from "./registered-station.ts";

/** The epoch of the connections of these tests. */
export const EPOCH = 1_700_000_000_000;

/** What is kept of a station under a key (station_items). */
export type Item = { key: string; present: boolean } & Record<string, unknown>;

/** As in production: nothing reaches the intake, or an effect, that its schema does not allow. */
const valid = (version: OcppVersion, action: string, kind: "request" | "response", payload: object): object => {
  expect({ action, mistake: validatePayload(version, action, kind, payload) }).toEqual({ action, mistake: undefined });
  return payload;
};

/** Stations that report of themselves, and a running intake. @param redisDatabase as createIntakeWorld takes it. */
export async function startStationReportScene(redisDatabase: number) {
  const world = await createIntakeWorld(redisDatabase);
  world.startIntake();

  return {
    world,
    newStation: (version: OcppVersion) => registerStation(world.database.pool, world.project, version),
    /** The station answered a command. */
    answered: (...[station, version, action, payload, response, as]: AnsweredCommand) =>
      recordAnswer(world.database.pool, world.project.orgId, EPOCH, [
        station,
        version,
        action,
        valid(version, action, "request", payload),
        valid(version, action, "response", response),
        as,
      ]),
    /** The station's messages, in one entry, in this order; numbered on from the connection's last. */
    async sends(
      station: TestStation,
      version: OcppVersion,
      messages: readonly (readonly [action: string, payload: object])[],
      cp = connectionOf(station, version, EPOCH),
    ) {
      const lane = await world.openLane();
      await lane.append(
        ...messages.map(([action, payload]) => cp.call(action, valid(version, action, "request", payload))),
      );
      await world.applied(lane);
      return cp;
    },
    async itemsOf(station: TestStation, kind: string): Promise<Item[]> {
      const rows = await world.rows<{ item_key: string; present: boolean; data: Record<string, unknown> }>(
        "select item_key, present, data from station_items where station_id = $1 and kind = $2 order by item_key",
        [station.id, kind],
      );
      return rows.map(({ item_key, present, data }): Item => ({ key: item_key, present, ...data }));
    },
    close: () => world.close(),
  };
}

export type StationReportScene = Awaited<ReturnType<typeof startStationReportScene>>;
