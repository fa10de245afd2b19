import { afterAll, beforeAll, expect, test } from "vitest";
import { sqlOn } from "../database.ts";
import { addLanes, freeLanes, takeLane } from "../intake/lane-rows.ts";
import { createOwnDatabase, type OwnDatabase } from "./own-database.ts";

let database: OwnDatabase;
beforeAll(async () => void (database = await createOwnDatabase()));
afterAll(() => database.drop());

// Broken once on purpose: with every found lane in addLanes' insert, or without `skip locked` in takeLane, it fails with
// SQLSTATE 55P03.
test("[A11] who stands still in the middle of a batch holds up its lane alone: others are found and taken meanwhile", async () => {
  const found = ["held", "free"].map((id) => ({ id, nodeId: `node-${id}` }));
  await addLanes(sqlOn(database.pool), found);
  // Its hold has run out, and its transaction has not ended.
  const [stopped, other] = [await database.pool.connect(), await database.pool.connect()];
  try {
    await stopped.query("begin");
    await stopped.query(`update lanes set "offset" = '1-0' where id = 'held'`);
    await other.query("set lock_timeout = '2s'");
    const sql = sqlOn(other);
    await addLanes(sql, [...found, { id: "new", nodeId: "node-new" }]);
    expect((await freeLanes(sql, "other")).toSorted()).toEqual(["free", "held", "new"]);
    expect(await takeLane(sql, "held", "other")).toBeUndefined();
    expect(await takeLane(sql, "new", "other")).toMatchObject({ id: "new", nodeId: "node-new", offset: "0-0" });
    await stopped.query("rollback");
    expect(await takeLane(sql, "held", "other")).toMatchObject({ id: "held", nodeId: "node-held", offset: "0-0" });
    expect(await takeLane(sql, "held", "third")).toBeUndefined();
  } finally {
    stopped.release(true);
    other.release(true);
  }
});

test("a lane that nobody knew the writer of gets its node id as soon as somebody does, and keeps it", async () => {
  const sql = sqlOn(database.pool);
  const nodeOf = async () => (await sql.query("select node_id from lanes where id = 'scanned'"))[0];
  for (const [told, known] of [
    ["", ""],
    ["node-a", "node-a"],
    ["", "node-a"],
    ["node-b", "node-a"],
  ]) {
    await addLanes(sql, [{ id: "scanned", nodeId: told as string }]);
    expect(await nodeOf()).toEqual({ node_id: known });
  }
});
