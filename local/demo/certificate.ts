import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { X509Certificate } from "node:crypto";
import { FOLDERS } from "../folders.ts";
import { verifySignedPdf } from "../verify-pdf.ts";
import { insist } from "./http.ts";
import type { Transcript } from "./transcript.ts";

/** Downloads the certificate as somebody who has only the link. Returns where it is on disk. */
export async function download(url: string, projectId: string, transcript: Transcript): Promise<string> {
  transcript.request("anyone with the link", `GET ${url.replace(/(token=.{8}).*/, "$1…")}`, undefined);
  const response = await fetch(url);
  const bytes = Buffer.from(await response.arrayBuffer());
  transcript.answer(`${response.status} ${response.headers.get("content-type")}, ${bytes.length} bytes`, undefined);
  insist(
    response.status === 200 && bytes.subarray(0, 5).toString() === "%PDF-",
    "the certificate's link does not give a PDF",
  );
  const folder = join(FOLDERS.local, "demo");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${projectId}.pdf`);
  writeFileSync(file, bytes);
  return file;
}

/** Verifies the signature here, proves that a changed byte is noticed, and asks poppler's `pdfsig` where it is installed. */
export async function verify(file: string, transcript: Transcript): Promise<void> {
  const pdf = readFileSync(file);
  const { signedBy, sha256 } = await verifySignedPdf(pdf);
  const own = process.env["PDF_SIGNING_CERT_FILE"] ?? join(FOLDERS.secrets, "pdf-signing-cert.pem");
  insist(
    signedBy.fingerprint256 === new X509Certificate(readFileSync(own)).fingerprint256,
    `signed by another certificate than ${own}`,
  );
  transcript.note(`signature verified: ${signedBy.subject.replaceAll("\n", ", ")}; SHA-256 ${sha256}`);

  const changed = Buffer.from(pdf);
  changed.writeUInt8(changed.readUInt8(200) ^ 1, 200);
  const verdict = await verifySignedPdf(changed).then(
    () => undefined,
    (cause: Error) => cause.message,
  );
  insist(verdict !== undefined, "a changed byte was not noticed");
  transcript.note(`with one byte changed: ${verdict}`);

  const said = await promisify(execFile)("pdfsig", ["-nocert", file]).then(
    ({ stdout }) => stdout,
    () => undefined,
  );
  if (said === undefined) return transcript.note("pdfsig (poppler-utils) is not installed here: not asked");
  const validation = /Signature Validation: (.*)/.exec(said)?.[1];
  insist(validation === "Signature is Valid.", `pdfsig says: ${said}`);
  transcript.note(`pdfsig says: ${validation}`);
}
