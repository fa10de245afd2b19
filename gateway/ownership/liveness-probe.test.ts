import { decodeNodeMessage, type ProbeMessage } from "@dynamo-csms/proto/command-message";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import { pino } from "pino";
import { expect, test } from "vitest";
import type { Session } from "../sockets/session.ts";
import { createLivenessProbe } from "./liveness-probe.ts";

const CS001 = "cs001" as StationIdentity;

/** A node that holds the station with epoch 5, and how often that was pinged. */
function scene() {
  const pings: ((alive: boolean) => void)[] = [];
  const published: string[] = [];
  const session = {
    epoch: 5,
    open: true,
    answersPing: () => new Promise<boolean>((resolve) => pings.push(resolve)),
  } as unknown as Session;
  const probe = createLivenessProbe({
    nodeId: "here",
    publisher: { spublish: async (_channel, text) => published.push(text) },
    sessions: { get: (identity) => (identity === CS001 ? session : undefined) },
    contested: () => undefined,
    log: pino({ enabled: false }),
  });
  return { probe, pings, published };
}

const question = { identity: CS001, epoch: 5, techInfo: "" };
const fromElsewhere = (n: number): ProbeMessage => ({
  v: 1,
  kind: "probe",
  probeId: `there ${n}`,
  askerNodeId: "there",
  ...question,
});

test("[1.7.4] [D1] however many newcomers wait for a connection's sign of life, it is asked for one", async () => {
  const { probe, pings, published } = scene();
  const here = [1, 2, 3].map(() => probe.answers({ ...question, node: "here" }));
  const there = [1, 2].map((n) => probe.onProbe(fromElsewhere(n)));
  expect(pings).toHaveLength(1);
  pings[0]!(true);
  expect(await Promise.all(here)).toEqual([true, true, true]);
  await Promise.all(there);
  expect(published.map((text) => decodeNodeMessage(text))).toMatchObject([
    { value: { kind: "probed", probeId: "there 1", alive: true } },
    { value: { kind: "probed", probeId: "there 2", alive: true } },
  ]);
  // The next question is asked anew.
  const again = probe.answers({ ...question, node: "here" });
  expect(pings).toHaveLength(2);
  pings[1]!(false);
  expect(await again).toBe(false);
});

test("[1.7.4] a connection of another node is asked after there, and its no is a no", async () => {
  const { probe, published } = scene();
  const asked = probe.answers({ ...question, epoch: 6, node: "there" });
  const { value } = decodeNodeMessage(published[0]!) as { value: ProbeMessage };
  probe.onProbed({ v: 1, kind: "probed", probeId: value.probeId, alive: false });
  expect(await asked).toBe(false);
});
