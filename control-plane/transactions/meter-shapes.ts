import { createHash } from "node:crypto";
import type { Sql } from "../database.ts";
import type { ShapeMember } from "./meter-reading.ts";

/** The kind of a reading, and whose reading it is. */
export interface SentShape {
  stationId: string;
  shape: ShapeMember[];
}

/** The ids of shapes. New ones are added outside the batch's transaction: a shape is worth keeping even if the batch is not. */
export interface MeterShapes {
  /**
   * In the order asked; undefined: nobody has sent such a shape yet, and the station has introduced MAX_INTRODUCED others.
   * Asked for with every batch, for a Postgres that lost its last commits may have given an id to another shape.
   * @param batch the batch's transaction.
   */
  idsOf(batch: Sql, sent: readonly SentShape[]): Promise<(number | undefined)[]>;
}

/**
 * Shapes are kept for ever, and what is in them (units, measurands, their order) is the station's own word. No unit has more
 * than a few dozen; one that makes up others with every message must not fill the table.
 */
export const MAX_INTRODUCED = 500;

/** @param own a connection of its own. */
export function createMeterShapes(own: Sql): MeterShapes {
  return {
    async idsOf(batch, sent) {
      const asked = new Map<string, Missing>();
      const members = sent.map(({ stationId, shape }) => {
        const described = describe(shape);
        const known = asked.get(described.members);
        if (known === undefined) asked.set(described.members, { ...described, stationIds: [stationId] });
        else known.stationIds.push(stationId);
        return described.members;
      });
      const ids = await findOrAdd(batch, own, [...asked.values()]);
      return members.map((text) => ids.get(text));
    },
  };
}

interface Described {
  members: string;
  /** Shapes are found by it: one of many members is longer than an index row may be. */
  digest: Buffer;
}

/** Readers of readings give the same array for the same shape where they can. */
const described = new WeakMap<readonly ShapeMember[], Described>();

function describe(shape: ShapeMember[]): Described {
  const known = described.get(shape);
  if (known !== undefined) return known;
  const members = JSON.stringify(shape);
  const made = { members, digest: createHash("sha256").update(members).digest() };
  described.set(shape, made);
  return made;
}

interface Missing extends Described {
  /** Whose it is: perhaps of several that send it for the first time at once. */
  stationIds: string[];
}

/** All at once: a station may make up thousands in one message, and the batch's transaction waits meanwhile. */
async function findOrAdd(batch: Sql, own: Sql, asked: readonly Missing[]): Promise<Map<string, number>> {
  const ids = new Map<string, number>();
  const find = async (wanted: readonly Missing[]): Promise<Missing[]> => {
    if (wanted.length === 0) return [];
    const found = await batch.query<{ id: number; digest: Buffer }>(
      `select id, digest from meter_shapes where digest = any($1::bytea[])`,
      [wanted.map(({ digest }) => digest)],
    );
    const idOf = new Map(found.map(({ id, digest }) => [digest.toString("hex"), id]));
    return wanted.filter(({ members, digest }) => {
      const id = idOf.get(digest.toString("hex"));
      if (id !== undefined) ids.set(members, id);
      return id === undefined;
    });
  };
  // In the order of their digests, for two intakes may add the same ones.
  const added = (await introduce(own, await find(asked))).sort((a, b) => Buffer.compare(a.digest, b.digest));
  if (added.length === 0) return ids;
  await own.query(
    `insert into meter_shapes (digest, members, introduced_by)
     select * from unnest($1::bytea[], $2::text[], $3::bigint[]) on conflict do nothing`,
    [added.map(({ digest }) => digest), added.map(({ members }) => members), added.map(({ by }) => by)],
  );
  if ((await find(added)).length > 0) throw new Error("a shape of readings was neither inserted nor found");
  return ids;
}

/** Those that one of their stations may still introduce, each with that station. Two intakes that count at the same moment let through a few more. */
async function introduce(sql: Sql, missing: readonly Missing[]): Promise<(Missing & { by: string })[]> {
  if (missing.length === 0) return [];
  const counts = await sql.query<{ station_id: string; n: number }>(
    `select introduced_by::text as station_id, count(*)::int as n from meter_shapes
     where introduced_by = any($1::bigint[]) group by introduced_by`,
    [[...new Set(missing.flatMap(({ stationIds }) => stationIds))]],
  );
  const introduced = new Map(counts.map(({ station_id, n }) => [station_id, n]));
  const of = (stationId: string) => introduced.get(stationId) ?? 0;
  return missing.flatMap((shape) => {
    const by = shape.stationIds.find((stationId) => of(stationId) < MAX_INTRODUCED);
    if (by === undefined) return [];
    introduced.set(by, of(by) + 1);
    return [{ ...shape, by }];
  });
}
