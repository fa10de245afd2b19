import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { newId } from "../ids.ts";
import type { ApiWorld } from "./api-world.ts";

export const HANDOVER = {
  signed_by: "Alex Technician",
  handover_notes: "All 6 bays commissioned. Bay 3 connector 2 required firmware update — completed on site.",
  site_contact_name: "Sarah Owen",
  site_contact_email: "s.owen@riversidebp.co.uk",
};

export interface HandoverAnswer {
  project_id: string;
  status: string;
  handover_certificate_url: string;
  handed_over_at: string;
  warnings?: string[];
}

export interface Site {
  key: string;
  orgId: string;
  token: string;
  installerId: string;
  projectId: string;
}

/** What the tests of handover and certificate do over and over, through the API of this world. */
export function handoverSteps(world: ApiWorld) {
  async function site(project: Record<string, unknown> = {}): Promise<Site> {
    const { key, orgId } = await world.organization();
    const { token, installerId } = await world.installer();
    const { body } = await world.ask("POST", "/api/v1/projects", {
      as: key,
      body: {
        name: "Riverside Business Park — Phase 1",
        site_address: "Unit 12, London E1W 3SJ",
        charge_points_expected: 1,
        ...project,
      },
    });
    await world.ask("POST", `/api/v1/projects/${body.project_id}/installers`, {
      as: key,
      body: { installer_id: installerId },
    });
    return { key, orgId, token, installerId, projectId: body.project_id };
  }

  const unit = (projectId: string, serial: string) => ({
    project_id: projectId,
    serial_number: serial,
    model: "Alpitronic HYC300",
    vendor: "Alpitronic",
    ocpp_version: "2.0.1",
    max_power_kw: 300,
    connector_count: 2,
    location: { latitude: 51.5074, longitude: -0.1278, description: "Bay 4, Level P1" },
  });

  async function register(
    { token, projectId }: Site,
    serial = `SN-${randomBytes(4).toString("hex")}`,
  ): Promise<string> {
    const { body } = await world.ask("POST", "/api/v1/installer/charge-points", {
      as: token,
      body: unit(projectId, serial),
    });
    return body.charge_point_id;
  }

  /** Commissioning as the jobs leave it. */
  async function commission(
    { projectId, installerId }: Site,
    chargePointId: string,
    status = "completed",
  ): Promise<void> {
    const id = newId("comm");
    await world.sql.query(
      `insert into commissionings (id, station_id, project_id, installer_id, status, run_connectivity_test, run_meter_calibration, completed_at)
     select $1, id, $2, $3, $4, true, true, now() from stations where charge_point_id = $5`,
      [id, projectId, installerId, status, chargePointId],
    );
    for (const [name, checkStatus, value] of [
      ["ocpp_connection", "passed", null],
      ["heartbeat", status === "completed" ? "passed" : "failed", null],
      ["meter_calibration", "skipped", null],
      ["firmware_version", "passed", "3.4.1"],
    ])
      await world.sql.query(
        "insert into commissioning_checks (commissioning_id, name, status, value, cause) values ($1, $2, $3, $4, $5)",
        [id, name, checkStatus, value, checkStatus === "failed" ? "no Heartbeat before the deadline" : null],
      );
  }

  const handOver = ({ token, projectId }: Site, body: object = HANDOVER) =>
    world.ask("POST", `/api/v1/installer/projects/${projectId}/complete-handover`, { as: token, body });

  async function handedOver(
    project: Record<string, unknown> = {},
    body: object = HANDOVER,
  ): Promise<Site & { answer: HandoverAnswer }> {
    const built = await site(project);
    await commission(built, await register(built));
    const { status, body: answer } = await handOver(built, body);
    expect(status).toBe(200);
    return { ...built, answer };
  }

  async function download(url: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(url.replace(world.config.publicApiUrl, world.url), { headers });
  }

  async function pdfOf(answer: HandoverAnswer): Promise<Buffer> {
    const response = await download(answer.handover_certificate_url);
    expect(response.status).toBe(200);
    return Buffer.from(await response.arrayBuffer());
  }

  return { site, unit, register, commission, handOver, handedOver, download, pdfOf };
}

/** Runs a tool of poppler over a PDF; undefined, and loudly so, where it is not installed. */
export function poppler(tool: string, pdf: Buffer, ...options: string[]): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "pdf-"));
  const file = join(folder, "certificate.pdf");
  writeFileSync(file, pdf);
  const run = spawnSync(tool, [...options, file, ...(tool === "pdftotext" ? ["-"] : [])], { encoding: "utf8" });
  rmSync(folder, { recursive: true });
  if (run.error === undefined) return run.stdout;
  console.warn(`SKIPPED: ${tool} (poppler-utils) is not installed, so nobody but ourselves looked at this PDF`);
  return undefined;
}
