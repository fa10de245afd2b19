import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import WebSocket from "ws";
import { type Cluster, startCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { linkTo } from "./installer-journey.ts";
import { type Evidence, openEvidence } from "./ledger-check.ts";
import { everyPlace, formsOf, type RedisTap, tapRedis } from "./secrets-sweep-places.ts";

const folder = mkdtempSync(join(tmpdir(), "dynamo-csms-secrets-"));
/** What must never be found again: a name for people, and the secret. */
const secrets = new Map<string, string>();
/** Everything that was refused, word for word. */
const refusals: string[] = [];
const text = () => randomBytes(18).toString("base64url");

let cluster: Cluster;
let evidence: Evidence;
let tap: RedisTap;
let seenByReceiver = 0;
const receiver = createServer((request, response) => {
  seenByReceiver += 1;
  request.resume().on("end", () => response.writeHead(204).end());
});

beforeAll(async () => {
  const file = (name: string, secret: string, content = secret) => {
    secrets.set(name, secret);
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const pepper = randomBytes(32).toString("base64");
  cluster = await startCluster({
    LOG_LEVEL: "trace",
    SECRETS_KEY_FILE: file("secrets-key", randomBytes(32).toString("base64")),
    STATION_PEPPERS_FILE: file("pepper", pepper, `p1:${pepper}`),
  });
  evidence = openEvidence(cluster);
  tap = await tapRedis(cluster);
  secrets.set("the first API key", cluster.apiKey);
  receiver.listen(0, "127.0.0.1");
  await once(receiver, "listening");
});
afterAll(async () => {
  tap?.close();
  await evidence?.close();
  await cluster?.close();
  receiver.close();
  rmSync(folder, { recursive: true });
});

/** Remembers refusals. @returns the answer's JSON. */
async function ask(method: string, path: string, as?: string, body?: unknown, more: Record<string, string> = {}) {
  const answer = await fetch(cluster.apiUrl + path, {
    method,
    headers: {
      ...(as === undefined ? {} : { authorization: `Bearer ${as}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...more,
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const said = await answer.text();
  if (answer.status >= 400) refusals.push(`${method} ${path}: ${said}`);
  return (said.startsWith("{") ? JSON.parse(said) : {}) as Record<string, string>;
}

const keep = (name: string, secret: string | undefined): string => {
  if (secret === undefined || secret.length < 12) throw new Error(`no ${name}`);
  secrets.set(name, secret);
  return secret;
};
const tokenIn = (link: string) => new URL(link).searchParams.get("token") ?? undefined;

/** The life of an account: passwords and links, right and wrong ones. */
async function accountLife(): Promise<{ token: string; installerId: string }> {
  const email = "canary@installers.example";
  const password = keep("a password", text());
  const account = { email, full_name: "Alex", phone: "+447700900123", company: "Acme" };
  const { installer_id: installerId } = await ask("POST", "/api/v1/installer/signup", undefined, {
    ...account,
    password,
  });
  const verify = keep("a verification link", tokenIn(await linkTo(cluster, email, "verify-email")));
  await ask("POST", "/api/v1/installer/verify-email", undefined, { token: verify });
  await ask("POST", "/api/v1/installer/login", undefined, { email, password: keep("a wrong password", text()) });
  const first = await ask("POST", "/api/v1/installer/login", undefined, { email, password });
  keep("an access token of before", first["access_token"]);
  await ask("POST", "/api/v1/installer/forgot-password", undefined, { email });
  const reset = keep("a reset link", tokenIn(await linkTo(cluster, email, "reset-password")));
  const next = keep("the next password", text());
  await ask("POST", "/api/v1/installer/reset-password", undefined, { token: reset, password: next });
  await ask("POST", "/api/v1/installer/reset-password", undefined, { token: reset, password: next });
  await ask("GET", `/api/v1/installer/reset-password?token=${keep("a made-up link", text())}`);
  const { access_token: token } = await ask("POST", "/api/v1/installer/login", undefined, { email, password: next });
  return { token: keep("an access token", token), installerId: installerId as string };
}

/** Bodies and headers that are wrong, with a secret in them. */
async function mistakes(): Promise<void> {
  const secret = () => keep(`a secret in a mistake, ${secrets.size}`, text());
  await ask("POST", "/api/v1/installer/login", undefined, `{"email":"a@b.example","password":"${secret()}"`);
  await ask("POST", "/api/v1/installer/login", undefined, `{"password":"${secret()}" x}`);
  await ask("POST", "/api/v1/installer/login", undefined, { email: "a@b.example", password: [secret()] });
  await ask("POST", "/api/v1/installer/login", undefined, { email: "a@b.example", passwort: secret() });
  await ask("POST", "/api/v1/installer/login", undefined, { email: secret(), password: 1 });
  await ask("POST", "/api/v1/installer/signup", undefined, { email: "a@b.example", password: secret() });
  await ask("GET", "/api/v1/installer/me", secret());
  await ask("GET", "/api/v1/installer/me", undefined, undefined, { authorization: `Basic ${secret()}` });
  await ask("GET", "/api/v1/projects", undefined, undefined, { "x-api-key": `dyn_live_${secret()}` });
  await ask("POST", "/api/v1/webhooks/endpoints", cluster.apiKey, {
    url: "https://example.org/",
    events: ["*"],
    secret: `whsec_${secret()}`,
  });
}

/** Keys and webhook secrets, made, brought, rotated and used. */
async function organizationLife(): Promise<void> {
  const made = await ask("POST", "/api/v1/org/api-keys", cluster.apiKey, { name: "canary", scopes: ["read:projects"] });
  await ask("GET", "/api/v1/projects", keep("an API key", made["key"]));
  await ask("GET", "/api/v1/projects", undefined, undefined, { "x-api-key": made["key"] as string });
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
  const brought = `whsec_${keep("a brought webhook secret", randomBytes(32).toString("base64"))}`;
  const key = { "idempotency-key": "canary-endpoint" };
  const body = { url, events: ["*"], secret: brought };
  const { id } = await ask("POST", "/api/v1/webhooks/endpoints", cluster.apiKey, body, key);
  await ask("POST", "/api/v1/webhooks/endpoints", cluster.apiKey, body, key);
  await ask("POST", "/api/v1/webhooks/endpoints", cluster.apiKey, { ...body, description: "another" }, key);
  const rotated = await ask("POST", `/api/v1/webhooks/endpoints/${id}/rotate-secret`, cluster.apiKey);
  keep("a rotated webhook secret", rotated["secret"]?.slice("whsec_".length));
  await ask("POST", `/api/v1/webhooks/endpoints/${id}/test`, cluster.apiKey);
  await eventually("a webhook was signed and sent", () => seenByReceiver > 0);
}

/** A station with the password; what it is told is handed to `told`. Resolves when it is in, or refused. */
async function station(identity: string, password: Buffer | string, told: (payload: Record<string, string>) => void) {
  const credentials = Buffer.concat([Buffer.from(`${identity}:`), Buffer.from(password as string)]).toString("base64");
  const socket = new WebSocket(`${cluster.ocppUrls[0]}/ocpp/1.6/${identity}`, ["ocpp1.6"], {
    headers: { authorization: `Basic ${credentials}` },
  });
  socket.on("error", () => {});
  socket.on("message", (data: Buffer) => {
    const [type, id, , payload] = JSON.parse(data.toString()) as [number, string, string, Record<string, string>];
    if (type !== 2) return;
    told(payload);
    socket.send(JSON.stringify([3, id, { status: "Accepted" }]));
  });
  await new Promise((resolve) => socket.once("open", resolve).once("close", resolve));
  return socket;
}

/** A station's passwords: given out, wrong, rotated over OCPP, and sent word by word. */
async function stationLife(token: string, installerId: string): Promise<void> {
  const project = { name: "Riverside", site_address: "Unit 12", charge_points_expected: 1 };
  const { project_id } = await ask("POST", "/api/v1/projects", cluster.apiKey, project);
  await ask("POST", `/api/v1/projects/${project_id}/installers`, cluster.apiKey, { installer_id: installerId });
  const unit = { serial_number: "S1", model: "M", vendor: "V", ocpp_version: "1.6", connector_count: 1 };
  const key = { "idempotency-key": "canary-unit" };
  const register = () => ask("POST", "/api/v1/installer/charge-points", token, { ...unit, project_id }, key);
  const registered = await register();
  const password = keep("a provisioning password", registered["provisioning_password"]);
  if ((await register())["provisioning_password"] !== password) throw new Error("the answer was not repeated");
  const identity = registered["charge_point_id"] as string;
  (await station(identity, keep("a wrong station password", text()), () => {})).terminate();
  let told: string | undefined;
  const socket = await station(identity, password, (payload) => {
    if (payload["key"] === "AuthorizationKey") told = payload["value"];
  });
  socket.send(JSON.stringify([2, "boot", "BootNotification", { chargePointVendor: "V", chargePointModel: "M" }]));
  await ask("POST", `/api/v1/charge-points/${identity}/rotate-credentials`, cluster.apiKey);
  await eventually("the station has its new password", () => told);
  keep("a rotated station password, as hex", told);
  secrets.set("a rotated station password", Buffer.from(told as string, "hex").toString("latin1"));
  await eventually("the change has come to its end", async () => {
    const { status } = await ask("GET", `/api/v1/charge-points/${identity}/credential-rotation`, cluster.apiKey);
    return ["accepted", "confirmed"].includes(String(status));
  });
  await ask("POST", "/api/v1/ocpp16/send_command", cluster.apiKey, {
    charge_point_id: identity,
    command: "ChangeConfiguration",
    payload: {
      key: "AuthorizationKey",
      value: keep("an operator's station password", randomBytes(20).toString("hex")),
    },
  });
  socket.terminate();
}

test("[E19] no password, token, key or secret lies open in logs, Redis, Postgres, metrics or refusals", async () => {
  const { token, installerId } = await accountLife();
  await organizationLife();
  await stationLife(token, installerId);
  await mistakes();
  await evidence.intakeIdle();

  const places = await everyPlace(cluster, evidence);
  places.set("what Redis was sent", tap.commands.join("\n"));
  places.set("what was refused", refusals.join("\n"));
  // The sweep looks at what it should: each of them tells something, and the taps were open.
  expect(refusals.length).toBeGreaterThan(10);
  expect(tap.commands.length).toBeGreaterThan(500);
  expect(places.get("the table mails")).toContain("reset_password");
  expect(places.get("the table idempotency_keys")).toContain("sealed_answer");
  expect(places.get("the log of gateway1")?.split("\n").length).toBeGreaterThan(3);
  expect(secrets.size).toBeGreaterThan(25);
  const found = [...secrets].flatMap(([name, secret]) =>
    [...places].flatMap(([place, content]) =>
      formsOf(secret).some((form) => content.includes(form)) ? [`${name} in ${place}`] : [],
    ),
  );
  expect(found).toEqual([]);
});

test("[E19] a secret would be found in every form in which it may stand", () => {
  const secret = "correct-horse-battery-staple+/";
  const basic = Buffer.from(`cp_1:${secret}`).toString("base64");
  for (const hidden of [
    basic,
    Buffer.from(secret).toString("hex"),
    JSON.stringify({ secret }),
    encodeURIComponent(secret),
  ])
    expect(formsOf(secret).some((form) => hidden.includes(form))).toBe(true);
});
