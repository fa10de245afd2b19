// Traces of real processes, taken in by a receiver of OTLP over HTTP: one from a charge point's frame to the webhook about it,
// one from a REST command to the charge point's answer.
import { randomBytes } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { openEvidence } from "./ledger-check.ts";
import { internalPortOf } from "./gateway-metrics.ts";
import { askRaw, connectRaw, type RawStation } from "./raw-station.ts";
import { rest } from "./rest-client.ts";
import { type CollectedSpan, type SpanCollector, startSpanCollector } from "./span-collector.ts";

const BOOT = '[2,"boot","BootNotification",{"chargePointVendor":"Vendor","chargePointModel":"Model"}]';
const status = (id: string, word: string) =>
  `[2,"${id}","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"${word}"}]`;

interface Delivery {
  headers: IncomingHttpHeaders;
  body: { type: string; data: { status?: string; charge_point_id?: string } };
}

let cluster: Cluster;
let collector: SpanCollector;
let receiver: Server;
const deliveries: Delivery[] = [];
let credentials: { identity: string; password: string };
let station: RawStation;

beforeAll(async () => {
  collector = await startSpanCollector();
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = JSON.parse(Buffer.concat(chunks).toString("utf8")) as Delivery["body"];
      deliveries.push({ headers: request.headers, body });
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  cluster = await startCluster({
    OTEL_TRACES_EXPORTER: "otlp",
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_BSP_SCHEDULE_DELAY: "100",
  });
  const hook = await rest("POST", `${cluster.apiUrl}/api/v1/webhooks/endpoints`, cluster.apiKey, {
    url: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`,
    events: ["charge_point.status_changed", "session.started", "session.ended"],
  });
  expect(hook.status, JSON.stringify(hook.body)).toBe(201);
  [credentials] = (await cluster.generateStations(1, "1.6")) as [typeof credentials];
  station = await connectRaw(cluster.ocppUrls[0], credentials, "1.6");
  station.socket.on("message", (data: Buffer) => {
    const [type, id, action] = JSON.parse(data.toString()) as [number, string, string];
    if (type === 2) station.socket.send(JSON.stringify([3, id, action === "ClearCache" ? { status: "Accepted" } : {}]));
  });
  await askRaw(station, BOOT);
});

afterAll(async () => {
  station?.socket.terminate();
  await cluster?.close();
  await collector?.close();
  receiver?.close();
});

/** The spans of a trace as a line from the first to the last, each the parent of the next. */
async function lineOf(last: (span: CollectedSpan) => boolean, first: string): Promise<CollectedSpan[]> {
  return eventually(`a trace that begins with ${first}`, () => {
    const end = collector.spans.find(last);
    const line: CollectedSpan[] = [];
    for (let span = end; span !== undefined; span = parentOf(span)) line.unshift(span);
    return line[0]?.name === first ? line : undefined;
  });
}
const parentOf = ({ parentSpanId, traceId }: CollectedSpan) =>
  collector.spans.find((span) => span.spanId === parentSpanId && span.traceId === traceId);
const placesOf = (line: readonly CollectedSpan[]) => line.map(({ service, name }) => `${service}: ${name}`);

test("one trace leads from a frame over the lane to its rows, and to the webhook that tells of it", async () => {
  await askRaw(station, status("status-1", "Available"));
  const line = await lineOf(({ name }) => name === "deliver charge_point.status_changed", "receive StatusNotification");
  expect(placesOf(line)).toEqual([
    "dynamo-csms-gateway: receive StatusNotification",
    "dynamo-csms-gateway: store StatusNotification",
    "dynamo-csms-intake: apply StatusNotification",
    "dynamo-csms-jobs: deliver charge_point.status_changed",
  ]);
  expect(new Set(line.map(({ traceId }) => traceId)).size).toBe(1);
  expect(line[0]?.parentSpanId).toBe("");
  expect(line.map(({ failed }) => failed)).toEqual([false, false, false, false]);
  expect(line[0]?.node).toMatch(/^gw-1-/);
  expect([line[0]?.attributes["station"], line[2]?.attributes["station"]]).toEqual(
    Array(2).fill(credentials.identity.toLowerCase()),
  );
  const delivery = deliveries.find(({ body }) => body.data.status === "Available");
  expect(delivery?.headers["traceparent"]).toBe(`00-${line[3]?.traceId}-${line[3]?.spanId}-01`);
});

test("a CALL that is decided goes on in the process that decides", async () => {
  const line = await lineOf(({ name }) => name === "decide BootNotification", "receive BootNotification");
  expect(placesOf(line)).toEqual([
    "dynamo-csms-gateway: receive BootNotification",
    "dynamo-csms-gateway: ask for BootNotification",
    "dynamo-csms-decisions: decide BootNotification",
  ]);
  const { traceId } = line[0] as CollectedSpan;
  await eventually("its row", () =>
    collector.spans.find((span) => span.traceId === traceId && span.name === "apply BootNotification"),
  );
});

test("what is told of a decision is part of the trace of the CALL that was decided", async () => {
  const evidence = openEvidence(cluster);
  await evidence.sql("insert into id_tokens (org_id, token, status) select id, 'tag-1', 'Accepted' from organizations");
  await evidence.close();
  const start = { connectorId: 1, idTag: "tag-1", meterStart: 0, timestamp: new Date().toISOString() };
  const [, , answer] = await askRaw(station, JSON.stringify([2, "start", "StartTransaction", start]));
  const { transactionId } = answer as { transactionId: number };
  // Behind it, for a stop may tell of the beginning as well: it says that the charge point knows of it.
  const started = await lineOf(({ name }) => name === "deliver session.started", "receive StartTransaction");
  const stop = { transactionId, meterStop: 100, timestamp: new Date().toISOString() };
  await askRaw(station, JSON.stringify([2, "stop", "StopTransaction", stop]));
  const ended = await lineOf(({ name }) => name === "deliver session.ended", "receive StopTransaction");
  // A beginning is told when the lane confirms that the station knows of it, an end as it is decided.
  expect(placesOf(started).slice(-2)).toEqual([
    "dynamo-csms-intake: apply StartTransaction",
    "dynamo-csms-jobs: deliver session.started",
  ]);
  expect(placesOf(ended).slice(-2)).toEqual([
    "dynamo-csms-decisions: decide StopTransaction",
    "dynamo-csms-jobs: deliver session.ended",
  ]);
});

test("one trace leads from a REST command to the charge point's answer, and is the caller's where it sends one", async () => {
  const traceId = randomBytes(16).toString("hex");
  const callersSpan = randomBytes(8).toString("hex");
  const { status: code, body } = await rest(
    "POST",
    `${cluster.apiUrl}/api/v1/ocpp16/send_command`,
    cluster.apiKey,
    { charge_point_id: credentials.identity, command: "ClearCache", payload: {}, timeout_seconds: 20 },
    { traceparent: `00-${traceId}-${callersSpan}-01`, "x-request-id": "traced-request" },
  );
  expect([code, body["status"]]).toEqual([200, "accepted"]);
  const line = await eventually("the whole trace", () => {
    const spans = collector.spans.filter((span) => span.traceId === traceId);
    return spans.length >= 4 ? spans : undefined;
  });
  const named = (name: string) => line.find((span) => span.name === name) as CollectedSpan;
  const request = named("POST /api/v1/ocpp16/send_command");
  const command = named("command ClearCache");
  const sent = named("send ClearCache");
  const stored = named("apply answer");
  expect([request, command, sent, stored].map(({ parentSpanId }) => parentSpanId)).toEqual([
    callersSpan,
    request.spanId,
    command.spanId,
    sent.spanId,
  ]);
  expect(sent.attributes).toMatchObject({ state: "accepted", station: credentials.identity.toLowerCase() });
  expect(sent.service).toBe("dynamo-csms-gateway");
  // Its line of the log has what leads to it.
  const logged = cluster
    .log("api")
    .split("\n")
    .find((each) => each.includes('"request_id":"traced-request"'));
  expect(JSON.parse(logged ?? "{}")).toMatchObject({ trace_id: traceId, msg: "request" });
});

test("what the caller does not record is not recorded here", async () => {
  const traceId = randomBytes(16).toString("hex");
  const headers = { traceparent: `00-${traceId}-${randomBytes(8).toString("hex")}-00` };
  const order = { charge_point_id: credentials.identity, command: "ClearCache", payload: {}, timeout_seconds: 20 };
  const url = `${cluster.apiUrl}/api/v1/ocpp16/send_command`;
  expect((await rest("POST", url, cluster.apiKey, order, headers)).status).toBe(200);
  // Recorded after it, and sent behind it by the same process.
  const later = randomBytes(16).toString("hex");
  await rest("GET", `${cluster.apiUrl}/api/v1/charge-points`, cluster.apiKey, undefined, {
    traceparent: `00-${later}-${randomBytes(8).toString("hex")}-01`,
  });
  await eventually("the later trace", () => collector.spans.find((span) => span.traceId === later));
  expect(collector.spans.filter((span) => span.traceId === traceId)).toEqual([]);
});

test("a running process's log level is changed, also for what is derived from its log already", async () => {
  const url = `http://127.0.0.1:${internalPortOf(cluster, "gateway1")}/log-level`;
  const change = (init?: RequestInit) => fetch(url, init).then((response) => response.json());
  expect(await change()).toEqual({ level: "info" });
  // Refused: a line of level debug, of the connection's own log.
  const refused = (id: string) => askRaw(station, `[2,"${id}","Nonsense",{}]`);
  const linesOf = (id: string) =>
    cluster
      .log("gateway1")
      .split("\n")
      .filter((line) => line.includes(`"messageId":"${id}"`));
  await refused("unheard");
  expect(await change({ method: "PUT", body: "debug" })).toEqual({ level: "debug" });
  await refused("heard");
  const [line] = await eventually("the line", () => (linesOf("heard").length > 0 ? linesOf("heard") : undefined));
  expect(JSON.parse(line as string)).toMatchObject({
    level: 20,
    process: "gateway",
    station: credentials.identity.toLowerCase(),
    epoch: expect.any(Number) as number,
    node: expect.stringMatching(/^gw-1-/) as string,
    trace_id: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
    msg: "call refused",
  });
  expect(linesOf("unheard")).toEqual([]);
});
