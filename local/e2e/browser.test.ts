import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster } from "./cluster.ts";
import { linkTo } from "./installer-journey.ts";
import { rest } from "./rest-client.ts";

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const hasBrowser = existsSync(CHROMIUM);
if (!hasBrowser) console.warn(`SKIPPED: no browser at ${CHROMIUM} (Debian: chromium), so no page was opened in one`);

let cluster: Cluster;
let browser: Browser;

beforeAll(async () => {
  if (!hasBrowser) return;
  cluster = await startCluster();
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
});
afterAll(async () => {
  await browser?.close();
  await cluster?.close();
});

/** Opens a page, and everything that it asked of other hosts or that went wrong in it. */
async function open(url: string) {
  const page = await browser.newPage({ viewport: { width: 360, height: 740 } });
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("request", (request) => {
    if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).hostname !== "localhost")
      complaints.push(`asked ${request.url()}`);
  });
  const response = await page.goto(url);
  return { page, complaints, status: response?.status() };
}

test.skipIf(!hasBrowser)(
  "the link in the verification mail works in a browser, twice, and the account is active",
  async () => {
    const account = {
      email: "bjorn@acme.example",
      password: "your-secure-password",
      full_name: "Björn Ø",
      phone: "+447700900123",
      company: "Acme",
    };
    await rest("POST", `${cluster.apiUrl}/api/v1/installer/signup`, undefined, account);
    const link = await linkTo(cluster, account.email, "verify-email");
    for (let time = 0; time < 2; time += 1) {
      const { page, complaints, status } = await open(link);
      expect(status).toBe(200);
      expect(await page.textContent("h1")).toContain("verified");
      expect(complaints).toEqual([]);
    }
    const login = await rest("POST", `${cluster.apiUrl}/api/v1/installer/login`, undefined, {
      email: account.email,
      password: account.password,
    });
    expect(login.status).toBe(200);
  },
);

test.skipIf(!hasBrowser)("a wrong link says so on a page, without details", async () => {
  const { page, status } = await open(`${cluster.apiUrl}/api/v1/installer/verify-email?token=wrong`);
  expect(status).toBe(410);
  expect(await page.textContent("body")).toContain("resend-verification");
});

test.skipIf(!hasBrowser)("the API reference shows every operation and asks nobody else for anything", async () => {
  const { page, complaints } = await open(`${cluster.apiUrl}/docs`);
  await page.waitForSelector(".opblock");
  const document = (await (await fetch(`${cluster.apiUrl}/openapi.json`)).json()) as Record<
    "paths" | "webhooks",
    Record<string, object>
  >;
  const operations = [...Object.values(document.paths), ...Object.values(document.webhooks)].reduce(
    (sum, path) => sum + Object.keys(path).filter((key) => /^(get|post|put|patch|delete)$/.test(key)).length,
    0,
  );
  expect(operations).toBeGreaterThan(30);
  expect(await page.locator(".opblock").count()).toBe(operations);
  expect(complaints).toEqual([]);
});
