import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { connectRaw } from "./raw-station.ts";
import { rest } from "./rest-client.ts";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster?.close());

interface Message {
  message_id: string;
  action: string;
  answer: string | null;
  breaks_schema: boolean;
}

test("[F13] what a unit was refused stands in its message log with the CALLERROR that it got", async () => {
  const [station] = await cluster.generateStations(1, "1.6");
  if (station === undefined) throw new Error("no station was made");
  const url = `${cluster.apiUrl}/api/v1/charge-points/${station.identity}`;
  const { socket, frames, heartbeat } = await connectRaw(cluster.ocppUrls[0], station, "1.6");
  const status = { connectorId: 1, errorCode: "NoError", status: "Fine" };
  socket.send(JSON.stringify([2, "refused-1", "StatusNotification", status]));
  socket.send(JSON.stringify([2, "refused-2", "NoSuchAction", { value: 1 }]));
  await heartbeat();
  socket.send(JSON.stringify([2, "accepted", "StatusNotification", { ...status, status: "Available" }]));
  await heartbeat();

  // The last of them, so that the others had their chance to be left out.
  const messages = await eventually("the accepted one is in the log", async () => {
    const { body } = await rest("GET", `${url}/messages?order=oldest_first`, cluster.apiKey);
    const found = body["messages"] as Message[];
    return found.some(({ message_id }) => message_id === "accepted") ? found : undefined;
  });
  const answerTo = (id: string) => frames.find((frame) => frame.startsWith(`[4,"${id}"`));
  expect(
    messages.map(({ message_id, action, answer, breaks_schema }) => [message_id, action, answer, breaks_schema]),
  ).toEqual([
    ["refused-1", "StatusNotification", answerTo("refused-1"), true],
    ["refused-2", "NoSuchAction", answerTo("refused-2"), false],
    ["accepted", "StatusNotification", `[3,"accepted",{}]`, false],
  ]);
  socket.close();
});
