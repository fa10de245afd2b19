import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import WebSocket from "ws";
import { startCluster, type Cluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { rest } from "./rest-client.ts";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ CERTIFICATE_AUTHORITY: "local" });
});
afterAll(() => cluster?.close());

const PROTOCOL = { "1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1" } as const;
type Payload = Record<string, unknown>;

/** A station with a password of any bytes, which answers what it is asked, or does not. Rejects when it is not let in. */
async function connect(
  identity: string,
  password: Buffer | string,
  version: "1.6" | "2.0.1",
  answer: (action: string, payload: Payload) => Payload | undefined | Promise<Payload | undefined> = () => ({
    status: "Accepted",
  }),
  node: 0 | 1 = 0,
) {
  const authorization = `Basic ${Buffer.concat([Buffer.from(`${identity}:`), Buffer.from(password as string)]).toString("base64")}`;
  const socket = new WebSocket(`${cluster.ocppUrls[node]}/ocpp/${version}/${identity}`, [PROTOCOL[version]], {
    headers: { authorization },
    perMessageDeflate: false,
  });
  const answers = new Map<string, unknown>();
  socket.on("message", (data: Buffer) => {
    const [type, id, action, payload] = JSON.parse(data.toString()) as [number, string, string, Payload];
    if (type === 2)
      void Promise.resolve(answer(action, payload)).then(
        (answered) => answered && socket.send(JSON.stringify([3, id, answered])),
      );
    else answers.set(id, action);
  });
  await once(socket, "open");
  return {
    socket,
    async call(id: string, action: string, payload: Payload) {
      socket.send(JSON.stringify([2, id, action, payload]));
      return eventually(`the answer to ${action}`, () => answers.get(id) as Payload | undefined);
    },
    async close() {
      socket.close();
      await once(socket, "close");
    },
  };
}

const url = (identity: string, rest: string) => `${cluster.apiUrl}/api/v1/charge-points/${identity}/${rest}`;

/** Everything that Postgres and Redis hold, and what the processes logged. */
async function everythingKept(): Promise<Buffer[]> {
  const texts: Buffer[] = (["decisions", "intake", "jobs", "api", "gateway1", "gateway2"] as const).map((name) =>
    Buffer.from(cluster.log(name)),
  );
  const database = new pg.Client({ connectionString: cluster.databaseUrl });
  await database.connect();
  const { rows: tables } = await database.query<{ name: string }>(
    "select table_name as name from information_schema.tables where table_schema = 'public'",
  );
  for (const { name } of tables)
    texts.push(Buffer.from(JSON.stringify((await database.query(`select t::text as row from "${name}" t`)).rows)));
  await database.end();
  const redis = new Redis(cluster.redisUrl, { protocol: 2 });
  for (const key of await redis.keys("*")) {
    const dump = await redis.dumpBuffer(key);
    if (dump) texts.push(dump);
    if ((await redis.type(key)) === "stream")
      for (const [, fields] of await redis.xrangeBuffer(key, "-", "+")) texts.push(...fields);
  }
  redis.disconnect();
  return texts;
}

test.each(["1.6", "2.0.1"] as const)(
  "[1.2-key-change] [1.2-not-echoed] [D7] a %s station gets a new password over OCPP, comes back with it, and nobody else ever sees it",
  async (version) => {
    const [unit] = await cluster.generateStations(1, version);
    const { identity, password } = unit!;
    let told: string | undefined;
    const station = await connect(identity, password, version, (action, payload) => {
      if (action === "ChangeConfiguration" && payload["key"] === "AuthorizationKey") {
        told = payload["value"] as string;
        return { status: "Accepted" };
      }
      if (action !== "SetVariables") return { status: "Accepted" };
      const [{ component, variable, attributeValue }] = payload["setVariableData"] as [Payload];
      told = attributeValue as string;
      return { setVariableResult: [{ attributeStatus: "Accepted", component, variable }] };
    });
    expect((await rest("POST", url(identity, "rotate-credentials"), cluster.apiKey)).status).toBe(202);
    await eventually("the station has its new password", () => told);
    const wire = version === "1.6" ? Buffer.from(told!, "hex") : told!;
    await eventually("the command has ended", async () => {
      const { body } = await rest("GET", url(identity, "credential-rotation"), cluster.apiKey);
      return body["status"] === "accepted";
    });
    await station.close();
    await (await connect(identity, wire, version)).close();
    await eventually("the old one is refused", () =>
      connect(identity, password, version).then(
        (letIn) => {
          letIn.socket.close();
          return false;
        },
        () => true,
      ),
    );
    await eventually("the login was heard of", async () => {
      const { body } = await rest("GET", url(identity, "credential-rotation"), cluster.apiKey);
      return body["confirmed_at"] !== null;
    });
    await (await connect(identity, wire, version)).close();
    const { body } = await rest("GET", `${url(identity, "messages")}`, cluster.apiKey);
    expect(JSON.stringify(body)).toContain(version === "1.6" ? "AuthorizationKey" : "BasicAuthPassword");
    for (const kept of [...(await everythingKept()), Buffer.from(JSON.stringify(body))]) {
      expect(kept.includes(told!)).toBe(false);
      expect(kept.includes(wire as string)).toBe(false);
    }
  },
);

const ACCEPTED = { status: "Accepted" };

/** What breaks at the moment in which the new password arrives, and what the station answers after it. */
const BREAKS: Record<string, () => Promise<Payload | undefined>> = {
  "its line": async () => undefined,
  "its gateway": async () => {
    await cluster.kill("gateway1");
    return undefined;
  },
  "the whole control plane": async () => {
    await Promise.all((["api", "jobs", "intake", "decisions"] as const).map((name) => cluster.kill(name)));
    return ACCEPTED;
  },
};

test.each([
  ["its line", "took it"],
  ["its line", "did not take it"],
  ["its gateway", "took it"],
  ["its gateway", "did not take it"],
  ["the whole control plane", "took it"],
] as const)(
  "[D7] [1.2-key-change] when %s breaks as the new password arrives, a station that %s gets in, and the change comes to its end",
  async (what, fate) => {
    const [unit] = await cluster.generateStations(1, "1.6");
    const { identity, password } = unit!;
    let told: string | undefined;
    const takes = (payload: Payload) =>
      payload["key"] === "AuthorizationKey" ? (payload["value"] as string) : undefined;
    const station = await connect(identity, password, "1.6", async (_action, payload) => {
      const key = takes(payload);
      if (key === undefined) return ACCEPTED;
      const answered = await BREAKS[what]!();
      told = key;
      return answered;
    });
    expect((await rest("POST", url(identity, "rotate-credentials"), cluster.apiKey)).status).toBe(202);
    const key = await eventually("the new password arrived", () => told);
    station.socket.terminate();
    const [has, other] = [Buffer.from(key, "hex"), password];
    const again = await connect(identity, fate === "took it" ? has : other, "1.6", () => ACCEPTED, 1);
    for (const name of ["gateway1", "api", "jobs", "intake", "decisions"] as const)
      if (what === "its gateway" ? name === "gateway1" : what !== "its line" && name !== "gateway1")
        await cluster.start(name);
    const status = async () =>
      (await rest("GET", url(identity, "credential-rotation"), cluster.apiKey)).body["status"] as string;
    if (fate === "took it") {
      await eventually("it is known that it has it", async () => ["accepted", "confirmed"].includes(await status()));
    } else {
      await eventually("nobody knows what became of it", async () => (await status()) === "unconfirmed");
      expect((await rest("POST", url(identity, "rotate-credentials"), cluster.apiKey)).status).toBe(202);
      await eventually("it has it now", async () => (await status()) === "accepted");
    }
    await again.close();
    await (await connect(identity, has, "1.6")).close();
    await eventually("the old one is refused", () =>
      connect(identity, other, "1.6").then(
        (letIn) => letIn.socket.terminate(),
        () => true,
      ),
    );
  },
);

test("[1.8-renewal] a station that asks gets its certificate from the authority, over the wire", async () => {
  const [unit] = await cluster.generateStations(1, "2.0.1");
  const { identity, password } = unit!;
  const { body } = await rest("GET", `${cluster.apiUrl}/api/v1/charge-points/${identity}`, cluster.apiKey);
  const folder = mkdtempSync(join(tmpdir(), "station-key-"));
  const subject = `/O=Test CPO/CN=${String(body["serial_number"])}`;
  const request = [
    "req",
    "-new",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-subj",
    subject,
  ];
  execFileSync("openssl", [...request, "-keyout", join(folder, "key"), "-out", join(folder, "csr")], {
    stdio: "ignore",
  });
  let chain: string | undefined;
  const station = await connect(identity, password, "2.0.1", (action, payload) => {
    if (action === "CertificateSigned") chain = payload["certificateChain"] as string;
    return { status: "Accepted" };
  });
  const csr = readFileSync(join(folder, "csr"), "utf8");
  expect(await station.call("1", "SignCertificate", { csr, certificateType: "ChargingStationCertificate" })).toEqual({
    status: "Accepted",
  });
  expect(await station.call("2", "SignCertificate", { csr })).toEqual({ status: "Accepted" });
  await eventually("CertificateSigned came", () => chain);
  expect(chain).toContain("-----BEGIN CERTIFICATE-----");
  await eventually("it is installed", async () => {
    const { body: list } = await rest("GET", url(identity, "certificates"), cluster.apiKey);
    const certificates = list["certificates"] as Payload[];
    return certificates.length === 1 && certificates[0]?.["status"] === "installed";
  });
  rmSync(folder, { recursive: true });
  await station.close();
});
