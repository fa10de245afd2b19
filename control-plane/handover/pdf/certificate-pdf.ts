import PDFDocument from "pdfkit";
import QRCode from "qrcode";
import type { CheckFact, ProjectFacts, UnitFact } from "../certificate-facts.ts";
import { loadFontChain } from "./font-chain.ts";
import { PageWriter } from "./page-writer.ts";

export interface Certificate {
  project: ProjectFacts;
  units: readonly UnitFact[];
  signedBy: string;
  siteContactName: string;
  handoverNotes: string;
  warnings: readonly string[];
  handedOverAt: Date;
  /** Where the QR code leads. */
  verifyUrl: string;
}

const CHECK_LABELS: Record<string, string> = {
  ocpp_connection: "OCPP connection",
  heartbeat: "Heartbeat",
  meter_calibration: "Meter calibration",
  firmware_version: "Firmware version",
};

/**
 * Makes the handover certificate, not signed yet. Addresses of people are left out: a certificate is passed on.
 * The same facts make the same pages, in any script.
 */
export async function makeCertificatePdf(certificate: Certificate): Promise<Buffer> {
  const { project, units, warnings, handedOverAt } = certificate;
  const doc = new PDFDocument({
    size: "A4",
    margin: 50,
    pdfVersion: "1.7",
    lang: "en",
    bufferPages: true,
    // No text of other people here: it is written uncompressed, where the signing looks for its places.
    info: {
      Title: `Handover certificate ${project.projectId}`,
      Author: "Dynamo CSMS",
      CreationDate: handedOverAt,
      ModDate: handedOverAt,
    },
  });
  const bytes = collect(doc);
  const page = new PageWriter(doc, await loadFontChain(textsOf(certificate)));

  const qrSizePt = 84;
  drawQrCode(doc, certificate.verifyUrl, page.right - qrSizePt, page.top, qrSizePt);
  page.text("Handover certificate", { sizePt: 22, bold: true }, { widthPt: page.width - qrSizePt - 20 });
  page.text(project.name, { sizePt: 14, bold: true }, { widthPt: page.width - qrSizePt - 20 });
  const small = { sizePt: 8, color: "#57606a" };
  page.text("Scan the code to verify this certificate, or open", small, { widthPt: page.width - qrSizePt - 20 });
  page.unbroken(certificate.verifyUrl, small, page.width - qrSizePt - 20);
  page.moveTo(page.top + qrSizePt + 14);

  page.facts([
    ["Project", project.projectId],
    ["Site", project.siteAddress],
    ["Operator", project.organizationName],
    ...(project.siteOwnerName === null ? [] : [["Site owner", project.siteOwnerName] as [string, string]]),
    ["Site contact", certificate.siteContactName],
    ["Installer", `${project.installerName}, ${project.installerCompany} (${project.installerId})`],
    ["Signed by", certificate.signedBy],
    ["Handed over", readableTime(handedOverAt)],
    ["Charge points", `${units.length} commissioned, ${project.chargePointsExpected} expected`],
  ]);
  for (const warning of warnings) page.notice(warning);
  if (certificate.handoverNotes.trim() !== "") {
    page.heading("Notes");
    page.text(certificate.handoverNotes, { sizePt: 10 }, { followDirection: true });
  }

  for (const [index, unit] of units.entries()) {
    const heading = `${index + 1}. ${productName(unit)}`;
    page.block(index === 0 ? "Charge points" : undefined, heading, { sizePt: 11, bold: true }, () =>
      writeUnit(page, unit),
    );
    // A project may have hundreds of units: other requests get their turn in between.
    await new Promise((resolve) => setImmediate(resolve));
  }
  page.numberPages(
    (number, count) => `${project.projectId} · ${readableTime(handedOverAt)} · page ${number} of ${count}`,
  );
  doc.end();
  return bytes;
}

function writeUnit(page: PageWriter, unit: UnitFact): void {
  page.facts([
    ["Serial number", unit.serialNumber],
    ["Charge point", unit.chargePointId],
    ["OCPP", unit.ocppVersion],
    ["Firmware", firmwareOf(unit)],
    [
      "Power, connectors",
      [unit.maxPowerKw === null ? undefined : `${Number(unit.maxPowerKw)} kW`, `${unit.connectorCount}`]
        .filter((part) => part !== undefined)
        .join(", "),
    ],
    ["Location", locationOf(unit)],
    ["Commissioned", unit.completedAt === null ? "unknown" : readableTime(unit.completedAt)],
    ...(unit.notes === null || unit.notes.trim() === "" ? [] : [["Notes", unit.notes] as [string, string]]),
  ]);
  page.table(
    ["Check", "Result", "Value"],
    [0.42, 0.16, 0.42],
    unit.checks.map((check) => [
      `${CHECK_LABELS[check.name] ?? check.name} (${check.name})`,
      check.status,
      valueOf(check),
    ]),
  );
}

/** Vendor and model; the vendor once where the model begins with its name, as many are written. */
export function productName({ vendor, model }: Pick<UnitFact, "vendor" | "model">): string {
  const [name, whole] = [vendor.trim(), model.trim()];
  const begins = whole.toLowerCase().startsWith(name.toLowerCase());
  const next = whole.slice(name.length);
  return begins && !/^[\p{L}\p{N}]/u.test(next) ? whole : `${name} ${whole}`;
}

const firmwareOf = (unit: UnitFact) =>
  unit.checks.find((check) => check.name === "firmware_version")?.value ?? unit.firmwareVersion ?? "unknown";

const valueOf = (check: CheckFact) =>
  [check.value, check.detail].filter((part) => part !== null && part !== "").join("; ") || "—";

function locationOf({ locationDescription, latitude, longitude }: UnitFact): string {
  const coordinates = latitude === null || longitude === null ? undefined : `${latitude}, ${longitude}`;
  return (
    [locationDescription ?? undefined, coordinates].filter((part) => part !== undefined && part !== "").join("; ") ||
    "not given"
  );
}

/** `2026-05-01 14:45:00 UTC`. */
const readableTime = (time: Date) => `${time.toISOString().slice(0, 19).replace("T", " ")} UTC`;

/** Everything that may be drawn: what the fonts have to cover. */
function* textsOf(certificate: Certificate): Generator<string> {
  yield " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz·—";
  yield JSON.stringify(certificate.project);
  yield* [
    certificate.signedBy,
    certificate.siteContactName,
    certificate.handoverNotes,
    certificate.verifyUrl,
    ...certificate.warnings,
  ];
  for (const unit of certificate.units) yield JSON.stringify(unit);
}

/** Drawn as rectangles, a run of dark modules each: sharp at any size, and no image. */
function drawQrCode(doc: PDFKit.PDFDocument, url: string, x: number, y: number, sizePt: number): void {
  const { modules } = QRCode.create(url, { errorCorrectionLevel: "M" });
  const modulePt = sizePt / modules.size;
  for (let row = 0; row < modules.size; row++) {
    for (let column = 0; column < modules.size; column++) {
      if (modules.get(row, column) === 0) continue;
      let end = column + 1;
      while (end < modules.size && modules.get(row, end) !== 0) end++;
      doc.rect(x + column * modulePt, y + row * modulePt, (end - column) * modulePt, modulePt);
      column = end;
    }
  }
  doc.fill("#000000");
}

function collect(doc: PDFKit.PDFDocument): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    doc.on("data", (chunk: Buffer) => chunks.push(chunk));
    doc.on("end", () => resolve(Buffer.concat(chunks)));
    doc.on("error", reject);
  });
}
