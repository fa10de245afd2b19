import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Credentials } from "../first-organisation.ts";
import { FOLDERS } from "../folders.ts";
import { freePort } from "../ports.ts";
import { isAlive, type ProcessIdentity } from "../process-identity.ts";
import type { StackState } from "../stack-state.ts";
import { eventually } from "./eventually.ts";

let folder: string;
let env: Record<string, string | undefined>;
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "dynamo-csms-stack-"));
  const [api, first, second, mail] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  // What this test run was given must not reach the stack: it is to bring its own.
  const {
    DATABASE_URL: _database,
    REDIS_URL: _redis,
    SMTP_URL: _smtp,
    VITEST: _vitest,
    NODE_ENV: _mode,
    ...outer
  } = process.env;
  env = {
    ...outer,
    LOCAL_FOLDER: folder,
    API_PORT: `${api}`,
    GATEWAY_PORTS: `${first},${second}`,
    MAIL_PORT: `${mail}`,
  };
});
afterEach(async () => {
  await run("local/reset.ts");
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

test("it starts, says where everything is, continues with its data, and leaves no process behind", async () => {
  const first = start();
  await first.isRunning();
  const credentials = readJson<Credentials>("credentials.json");
  expect(Object.keys(credentials)).toEqual([
    "org_id",
    "api_key",
    "api_url",
    "ocpp_urls",
    "mail_url",
    "postgres_url",
    "redis_url",
  ]);
  expect(first.output()).toContain(credentials.api_key);
  expect((await fetch(`${credentials.api_url}/openapi.json`)).status).toBe(200);
  expect((await fetch(`${credentials.mail_url}/api/messages`)).status).toBe(200);

  const again = await run("local/stack.ts");
  expect(again).toMatchObject({ exitCode: 1, output: expect.stringContaining("already running") });

  const processes = everyProcess();
  expect(Object.keys(processes).toSorted((a, b) => a.localeCompare(b))).toEqual([
    "api",
    "decisions",
    "gateway-1",
    "gateway-2",
    "intake",
    "jobs",
    "mail",
    "postgres",
    "redis",
    "supervisor",
  ]);
  first.child.kill("SIGINT");
  expect(await first.exitCode).toBe(0);
  expect(stillRunning(processes)).toEqual([]);
  expect(existsSync(join(folder, "stack.json"))).toBe(false);

  const second = await run("local/stack.ts", "--detach");
  expect(second.exitCode, second.output).toBe(0);
  expect(second.output).not.toContain(credentials.api_key);
  expect(readJson<Credentials>("credentials.json")).toMatchObject({
    org_id: credentials.org_id,
    api_key: credentials.api_key,
  });
  const inBackground = everyProcess();
  expect(await run("local/stop.ts")).toMatchObject({ exitCode: 0, output: expect.stringContaining("stopped") });
  expect(stillRunning(inBackground)).toEqual([]);
  // In order, by itself: not by the stop's last resort.
  expect(readFileSync(join(folder, "logs", "stack.log"), "utf8").trimEnd()).toMatch(
    /stopping redis\nstopping postgres$/,
  );
});

test("a gateway node that is killed comes back; a supervisor that is killed leaves nothing after the stop", async () => {
  const stack = start();
  await stack.isRunning();
  const killed = everyProcess()["gateway-1"] as ProcessIdentity;
  process.kill(killed.pid, "SIGKILL");
  await eventually("the node is back", () => stack.output().includes("gateway-1 is back"));
  expect(everyProcess()["gateway-1"]).not.toEqual(killed);

  const processes = everyProcess();
  process.kill((processes["supervisor"] as ProcessIdentity).pid, "SIGKILL");
  await stack.exitCode;
  expect(stillRunning(processes)).not.toEqual([]);
  await run("local/stop.ts");
  expect(stillRunning(processes)).toEqual([]);
});

test("a Redis and a Postgres that are killed come back with their data, and the stack goes on", async () => {
  const stack = start();
  await stack.isRunning();
  const { api_url, api_key } = readJson<Credentials & { api_key: string }>("credentials.json");
  for (const name of ["redis", "postgres"]) {
    process.kill((everyProcess()[name] as ProcessIdentity).pid, "SIGKILL");
    await eventually(`${name} is back`, () => stack.output().includes(`${name} is back`));
  }
  await eventually("the API knows the key again", async () => {
    const answer = await fetch(`${api_url}/api/v1/charge-points`, { headers: { authorization: `Bearer ${api_key}` } });
    return answer.status === 200;
  });
  const processes = everyProcess();
  stack.child.kill("SIGTERM");
  expect(await stack.exitCode).toBe(0);
  expect(stillRunning(processes)).toEqual([]);
});

test("when npm is killed everything stops", async () => {
  const npm = spawn("npm", ["start"], { cwd: FOLDERS.root, env, stdio: ["ignore", "pipe", "pipe"] });
  children.push(npm);
  let output = "";
  for (const stream of [npm.stdout, npm.stderr]) stream.on("data", (chunk) => (output += chunk));
  await eventually("it runs", () => output.includes("Dynamo CSMS is running."), 120_000);
  const processes = everyProcess();
  npm.kill("SIGKILL");
  await eventually("nothing runs any more", () => stillRunning(processes).length === 0, 60_000);
});

test("a port in use is told, with who has it and what to do", async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(Number(env["API_PORT"]), resolve));
  const { exitCode, output } = await run("local/stack.ts", "--detach");
  await new Promise((resolve) => holder.close(resolve));
  expect(exitCode).toBe(1);
  expect(output).toContain(`port ${env["API_PORT"]} is in use by`);
  expect(output).toContain(`(process ${process.pid}`);
  expect(output).toContain("or set API_PORT to another port");
});

/** Starts the stack in the foreground, as `npm start` does. */
function start() {
  const child = spawn(process.execPath, ["local/launch.js", "local/stack.ts"], {
    cwd: FOLDERS.root,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  let ended = false;
  const exitCode = new Promise<number | null>((resolve) => {
    child.on("exit", (code) => {
      ended = true;
      resolve(code);
    });
  });
  return {
    child,
    exitCode,
    output: () => output,
    isRunning: () =>
      eventually(
        "it runs",
        () => {
          if (ended) throw new Error(output);
          return output.includes("Dynamo CSMS is running.");
        },
        120_000,
      ),
  };
}

async function run(file: string, ...args: string[]): Promise<{ exitCode: number | null; output: string }> {
  const child = spawn(process.execPath, ["--conditions=source", file, ...args], {
    cwd: FOLDERS.root,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  const exitCode = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { exitCode, output };
}

function everyProcess(): Record<string, ProcessIdentity> {
  const state = readJson<StackState>("stack.json");
  return { ...state.processes, supervisor: state.supervisor };
}

function stillRunning(processes: Record<string, ProcessIdentity>): string[] {
  return Object.entries(processes).flatMap(([name, identity]) => (isAlive(identity) ? [name] : []));
}

function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(join(folder, file), "utf8")) as T;
}
