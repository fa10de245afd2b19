// Firmware updates and uploads of logs: each a job from its command to its end.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { inTransaction } from "../database.ts";
import { recordTransferReports, type TransferReport } from "../firmware/record-transfer-reports.ts";
import { type ApiWorld, startApiWorld } from "./api-world.ts";
import { commandScenes, settingScene } from "./command-scene.ts";

let world: ApiWorld;
const scenes = commandScenes(() => world);
beforeAll(async () => {
  world = await startApiWorld();
});
afterEach(() => scenes.end());
afterAll(() => world.close());

/** Of messages: behind every command of the fake gateway. */
const LATER = 9_000_000_000_000;

const stationWith = (version: Parameters<typeof settingScene>[1], response?: Parameters<typeof settingScene>[2]) =>
  settingScene(scenes, version, response);

describe("firmware updates and log uploads", () => {
  let seq = 0;
  const report = (
    stationId: string,
    notification: TransferReport["notification"],
    status: string,
    requestId?: number,
  ) =>
    inTransaction(world.pool, (sql) =>
      recordTransferReports(sql, [
        { stationId, notification, status, requestId, receivedAt: new Date(), epoch: LATER, seq: (seq += 1) },
      ]),
    );
  const eventsOf = async (chargePointId: string) =>
    (
      await world.sql.query<{ told: string }>(
        `select type || ' ' || (data->>'status') as told from events where data->>'charge_point_id' = $1 and type like 'firmware.%' order by 1`,
        [chargePointId],
      )
    ).map((row) => row.told);

  test("1.6: progress without a request id is the newest update's; its end is told once", async () => {
    const { operator, shows, id, stationId } = await stationWith("1.6", {});
    const update = (firmware_url: string) => operator({ command: "update_firmware", parameters: { firmware_url } });
    await update("https://fw.example/old.bin");
    await update("https://user:secret@fw.example/new.bin");
    for (const status of ["Downloading", "Downloaded", "Installing", "Installed", "Idle"])
      await report(stationId, "FirmwareStatusNotification", status);
    const { firmware_updates } = await shows("firmware-updates");
    expect(firmware_updates).toMatchObject([
      { action: "UpdateFirmware", status: "Installed", outcome: "succeeded", request_id: null },
      { status: "Accepted", outcome: "running", progress: [] },
    ]);
    expect(JSON.stringify(firmware_updates)).not.toContain("secret");
    expect(firmware_updates[0].progress.map((one: { status: string }) => one.status)).toEqual([
      "Downloading",
      "Downloaded",
      "Installing",
      "Installed",
    ]);
    await report(stationId, "FirmwareStatusNotification", "Installed");
    expect(await eventsOf(id)).toEqual([
      "firmware.update_completed Installed",
      "firmware.update_started Accepted",
      "firmware.update_started Accepted",
    ]);
  });

  test("1.6: a signed update and a plain one are told apart by their notifications", async () => {
    const { operator, shows, stationId } = await stationWith("1.6", (command) =>
      command.action === "UpdateFirmware" ? {} : { status: "Accepted" },
    );
    const signed = { firmware_url: "https://fw.example/s.bin", signing_certificate: "PEM", signature: "c2ln" };
    await operator({ command: "update_firmware", parameters: signed });
    await operator({ command: "update_firmware", parameters: { firmware_url: "https://fw.example/p.bin" } });
    const [plain, first] = (await shows("firmware-updates")).firmware_updates;
    await report(stationId, "SignedFirmwareStatusNotification", "InvalidSignature", first.request_id);
    await report(stationId, "FirmwareStatusNotification", "Downloading");
    expect((await shows("firmware-updates")).firmware_updates).toMatchObject([
      { command_id: plain.command_id, status: "Downloading", outcome: "running" },
      { command_id: first.command_id, status: "InvalidSignature", outcome: "failed" },
    ]);
  });

  test("2.x: each notification goes to the request that it names, also one whose answer was lost", async () => {
    const { send, shows, id, stationId } = await stationWith("2.0.1");
    const firmware = { location: "https://fw.example/a.bin", retrieveDateTime: "2026-05-01T00:00:00Z" };
    for (const requestId of [11, 12]) await send("UpdateFirmware", { requestId, firmware });
    await world.sql.query(
      `insert into commands (id, org_id, station_id, ocpp_version, action, payload, requested_by, state, deadline_at, final_at)
       select 'cmd_lost', org_id, station_id, ocpp_version, action, '{"requestId":13,"firmware":{"location":"https://x"}}', 'test', 'unknown', now(), now()
       from commands where station_id = $1 limit 1`,
      [stationId],
    );
    await report(stationId, "FirmwareStatusNotification", "DownloadFailed", 11);
    await report(stationId, "FirmwareStatusNotification", "Downloading", 13);
    await report(stationId, "FirmwareStatusNotification", "Installed", 999);
    const updates = (await shows("firmware-updates")).firmware_updates as { request_id: number; status: string }[];
    expect(Object.fromEntries(updates.map((one) => [one.request_id, one.status]))).toEqual({
      11: "DownloadFailed",
      12: "Accepted",
      13: "Downloading",
    });
    expect((await eventsOf(id)).filter((told) => told.includes("completed"))).toEqual([
      "firmware.update_completed DownloadFailed",
    ]);
  });

  test("a batch of many charge points' words: the last counts, all are kept in order, and ends are told once", async () => {
    const [one, two] = [await stationWith("2.0.1"), await stationWith("1.6", {})];
    const firmware = { location: "https://fw.example/a.bin", retrieveDateTime: "2026-05-01T00:00:00Z" };
    await one.send("UpdateFirmware", { requestId: 1, firmware });
    await one.send("UpdateFirmware", { requestId: 2, firmware });
    await two.operator({ command: "update_firmware", parameters: { firmware_url: "https://fw.example/b.bin" } });
    const words = (epoch: number) => {
      const word = (stationId: string, status: string, requestId?: number): TransferReport => ({
        ...{ stationId, notification: "FirmwareStatusNotification", status, requestId },
        ...{ receivedAt: new Date(), epoch, seq: (seq += 1) },
      });
      return [
        word(one.stationId, "Downloading", 1),
        word(two.stationId, "Downloading"),
        word(one.stationId, "Downloading", 2),
        word(one.stationId, "InstallationFailed", 1),
        word(one.stationId, "Installed", 1),
        word(two.stationId, "Downloaded"),
        word(one.stationId, "Installed", 77),
      ];
    };
    const statements: string[] = [];
    const file = (reports: TransferReport[]) =>
      inTransaction(world.pool, (sql) =>
        recordTransferReports(
          {
            query: (text, values) => {
              statements.push(text);
              return sql.query(text, values);
            },
          },
          reports,
        ),
      );
    const batch = words(LATER);
    await file(batch.toReversed());
    const jobs = async ({ shows }: typeof one) =>
      (await shows("firmware-updates")).firmware_updates.map(
        (job: { status: string; progress: { status: string }[] }) => [
          job.status,
          ...job.progress.map((said) => said.status),
        ],
      );
    const first = ["Installed", "Downloading", "InstallationFailed", "Installed"];
    expect([await jobs(one), await jobs(two)]).toEqual([
      [["Downloading", "Downloading"], first],
      [["Downloaded", "Downloading", "Downloaded"]],
    ]);
    // Older ones are kept, and move nothing.
    await file([...batch, ...words(1)]);
    expect((await jobs(one)).map(([status]: string[]) => status)).toEqual(["Downloading", "Installed"]);
    expect((await eventsOf(one.id)).filter((told) => told.includes("completed"))).toEqual([
      "firmware.update_completed InstallationFailed",
    ]);
    // One that says something for ever fills nothing, and costs as many statements as one that says it once.
    const chatter = () => Array.from({ length: 60 }, () => words(LATER)[1] as TransferReport);
    statements.length = 0;
    await file(chatter());
    expect(statements).toHaveLength(5);
    await file(chatter());
    expect((await jobs(two))[0]).toHaveLength(101);
  });

  test("AcceptedCanceled: the update before it has ended", async () => {
    let status = "Accepted";
    const { operator, shows } = await stationWith("2.1", () => ({ status }));
    const update = () => operator({ command: "update_firmware", parameters: { firmware_url: "https://fw.example/a" } });
    await update();
    status = "AcceptedCanceled";
    await update();
    expect((await shows("firmware-updates")).firmware_updates).toMatchObject([
      { status: "Accepted", outcome: "running", ended_at: null },
      { status: "AcceptedCanceled", outcome: "failed", ended_at: expect.any(String) },
    ]);
  });

  test("logs: 1.6 diagnostics by name, 2.x by request; nothing to upload is an end", async () => {
    const old = await stationWith("1.6", (command) =>
      command.payload?.includes("empty") ? {} : { fileName: "diag.zip" },
    );
    const ask = (upload_url: string) => old.operator({ command: "get_diagnostics", parameters: { upload_url } });
    await ask("ftp://logs.example/empty");
    await ask("ftp://logs.example/in");
    await report(old.stationId, "DiagnosticsStatusNotification", "Uploaded");
    expect((await old.shows("log-uploads")).log_uploads).toMatchObject([
      { file_name: "diag.zip", status: "Uploaded", outcome: "succeeded", log_type: "DiagnosticsLog" },
      { file_name: null, status: "NothingToUpload", outcome: "failed" },
    ]);
    const v21 = await stationWith("2.1", { status: "Accepted", filename: "sec.log" });
    await v21.operator({
      command: "get_diagnostics",
      parameters: { upload_url: "https://logs.example", log: "security" },
    });
    const [{ request_id }] = (await v21.shows("log-uploads")).log_uploads;
    await report(v21.stationId, "LogStatusNotification", "Uploading", request_id);
    expect((await v21.shows("log-uploads")).log_uploads).toMatchObject([
      { file_name: "sec.log", status: "Uploading", outcome: "running", log_type: "SecurityLog" },
    ]);
  });

  test("published firmware has its own notification", async () => {
    const { send, shows, stationId } = await stationWith("2.0.1");
    await send("PublishFirmware", {
      requestId: 5,
      location: "https://fw.example/a",
      checksum: "0123456789abcdef0123456789abcdef",
    });
    await report(stationId, "PublishFirmwareStatusNotification", "Published", 5);
    expect((await shows("firmware-updates")).firmware_updates).toMatchObject([
      { action: "PublishFirmware", status: "Published", outcome: "succeeded" },
    ]);
  });
});
