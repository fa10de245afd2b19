import { expect, test } from "vitest";
import { afterEvent, type Connection, type ConnectionEvent, DISCONNECT_GRACE_MS } from "./connection-history.ts";

const opened = (epoch: number): ConnectionEvent => ({
  kind: "opened",
  epoch,
  seq: 1,
  at: new Date(epoch),
  nodeId: `n${epoch}`,
  remoteAddress: "::1",
  ocppVersion: "1.6",
  notes: [],
});
const closed = (epoch: number): ConnectionEvent => ({
  kind: "closed",
  epoch,
  seq: 9,
  at: new Date(epoch + 500),
  code: 1006,
  reason: "",
});

function after(...events: ConnectionEvent[]) {
  let connection: Connection | undefined;
  const told: boolean[] = [];
  for (const event of events) {
    const next = afterEvent(connection, event);
    connection = next.connection;
    told.push(next.tellConnected);
  }
  return { connection, told };
}

test("the first connection is told; the next one, after a short absence, is not", () => {
  expect(after(opened(1_000), closed(1_000), opened(2_000)).told).toEqual([true, false, false]);
});

test("a connection that ends is to be told after the grace time, and not at all when the station is back", () => {
  expect(after(opened(1_000), closed(1_000)).connection?.disconnectDueAt).toEqual(
    new Date(1_500 + DISCONNECT_GRACE_MS),
  );
  expect(after(opened(1_000), closed(1_000), opened(2_000)).connection).toMatchObject({
    epoch: 2_000,
    closedAt: null,
    disconnectDueAt: null,
  });
});

test("the late end of a former connection changes nothing, and neither does its late beginning", () => {
  expect(after(opened(2_000), closed(1_000)).connection).toMatchObject({ epoch: 2_000, closedAt: null });
  expect(after(opened(2_000), opened(1_000)).connection).toMatchObject({ epoch: 2_000, nodeId: "n2000" });
});

test("a station whose absence was told is told again when it connects", () => {
  const { connection } = after(opened(1_000), closed(1_000));
  expect(afterEvent({ ...(connection as Connection), connectedTold: false }, opened(9_000)).tellConnected).toBe(true);
});

test("an end without a beginning is not a connection", () => {
  expect(after(closed(1_000)).connection).toBeUndefined();
});
