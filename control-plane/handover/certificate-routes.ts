import { timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { sqlOn, type Sql } from "../database.ts";
import { isoTime } from "../http/fields.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Caller, type RawReply, type Route } from "../http/route.ts";
import { certificateLink, hashLinkToken, replaceCertificateLink, verifyUrl } from "./certificate-link.ts";
import type { HandoverDeps } from "./complete-handover.ts";
import { verificationPage, verifyStored, type StoredCertificate } from "./verification.ts";

const TAG = "Certificates";
const params = z.strictObject({ project_id: z.string() });
const linkAnswer = z.object({ project_id: z.string(), handover_certificate_url: z.string() });
const PDF = { description: "The signed certificate", contentType: "application/pdf", headers: ["ETag"] } as const;
const UNCHANGED = { description: "Unchanged (If-None-Match)", headers: ["ETag"] } as const;

/** The certificate, for those who may see it, and the page that vouches for it. */
export function certificateRoutes({ pool, secretsKey, publicApiUrl }: HandoverDeps): Route[] {
  const sql = sqlOn(pool);

  return [
    defineRoute({
      method: "get",
      path: "/certificates/{project_id}.pdf",
      operationId: "downloadCertificate",
      summary: "Download a handover certificate",
      description: "For the installer of the project, its operator, and whoever has the link with its token.",
      tag: TAG,
      access: { kind: "public" },
      rateLimit: "read",
      params,
      query: z.strictObject({ token: z.string().max(200).optional().describe("the token of the link") }),
      responses: { 200: PDF, 304: UNCHANGED },
      problems: ["unauthenticated", "not_found", "missing_scope"],
      async handle({ caller, params: { project_id: projectId }, query, header }) {
        const found = await findCertificate(sql, projectId);
        if (query.token !== undefined) {
          if (found === undefined || !timingSafeEqual(hashLinkToken(query.token), found.linkTokenHash))
            throw new ProblemError("unauthenticated", "The link is not valid (any more).", {
              remedy: "Use the newest link that you were sent, or ask the operator for it.",
            });
        } else {
          await requireReader(sql, caller, projectId);
          if (found === undefined) throw noCertificate();
        }
        return pdfReply(projectId, found, header("if-none-match"));
      },
    }),
    defineRoute({
      method: "get",
      path: "/api/v1/projects/{project_id}/certificate",
      operationId: "getProjectCertificate",
      summary: "Download the handover certificate of a project",
      tag: TAG,
      access: { kind: "organization", scope: "read:projects" },
      rateLimit: "read",
      params,
      responses: { 200: PDF, 304: UNCHANGED },
      problems: ["not_found"],
      async handle({ caller, params: { project_id: projectId }, header }) {
        await requireReader(sql, caller, projectId);
        const found = await findCertificate(sql, projectId);
        if (found === undefined) throw noCertificate();
        return pdfReply(projectId, found, header("if-none-match"));
      },
    }),
    defineRoute({
      method: "get",
      path: "/api/v1/projects/{project_id}/certificate/link",
      operationId: "getCertificateLink",
      summary: "Get the link to a certificate",
      description:
        "The link that the handover's answer and mails carried, as it is valid now. Whoever has it can download the certificate.",
      tag: TAG,
      access: { kind: "organization", scope: "read:projects" },
      rateLimit: "read",
      params,
      responses: { 200: { description: "The link", schema: linkAnswer } },
      problems: ["not_found"],
      async handle({ caller, params: { project_id: projectId } }) {
        const readable = await mayRead(sql, caller, projectId);
        const url = readable ? await certificateLink(sql, secretsKey, publicApiUrl, projectId) : undefined;
        if (url === undefined) throw noCertificate();
        return { status: 200, body: { project_id: projectId, handover_certificate_url: url } };
      },
    }),
    defineRoute({
      method: "post",
      path: "/api/v1/projects/{project_id}/certificate/replace-link",
      operationId: "replaceCertificateLink",
      summary: "Replace the link to a certificate",
      description: "The links that were sent before stop working.",
      tag: TAG,
      access: { kind: "organization", scope: "write:projects" },
      rateLimit: "write",
      idempotent: true,
      params,
      responses: {
        200: {
          description: "The new link",
          schema: linkAnswer,
        },
      },
      problems: ["not_found"],
      async handle({ caller, params: { project_id: projectId } }) {
        const readable = await mayRead(sql, caller, projectId);
        const url = readable ? await replaceCertificateLink(sql, secretsKey, publicApiUrl, projectId) : undefined;
        if (url === undefined) throw noCertificate();
        return { status: 200, body: { project_id: projectId, handover_certificate_url: url } };
      },
    }),
    defineRoute({
      method: "get",
      path: "/certificates/{project_id}/verify",
      operationId: "verifyCertificate",
      summary: "Verify a handover certificate",
      description:
        "What the QR code on a certificate leads to: a page, or JSON with `Accept: application/json`. Names nobody but the signing certificate.",
      tag: TAG,
      access: { kind: "public" },
      rateLimit: "read",
      params,
      responses: {
        200: {
          description: "What the certificate on file is, to be compared with the one at hand",
          contentType: "text/html",
          schema: z.object({
            project_id: z.string(),
            valid: z.boolean().describe("the certificate on file is unchanged since it was signed"),
            sha256: z.string().describe("of the PDF's bytes, hexadecimal"),
            signer: z.string().nullable(),
            signer_certificate_sha256: z.string().nullable(),
            signed_at: isoTime(),
            project_status: z
              .enum(["in_progress", "handed_over"])
              .describe("in_progress: the handover that this certificate is about was taken back"),
            reopened_at: isoTime().nullable().describe("when it was taken back"),
          }),
        },
      },
      problems: ["not_found"],
      async handle({ params: { project_id: projectId }, header }) {
        const found = await findCertificate(sql, projectId);
        if (found === undefined) throw noCertificate();
        const verification = await verifyStored(projectId, found);
        if (!wantsPage(header("accept"))) return { status: 200, body: verification, headers: { vary: "accept" } };
        return {
          status: 200,
          headers: {
            "content-type": "text/html; charset=utf-8",
            "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
            vary: "accept",
          },
          raw: verificationPage(verification, verifyUrl(publicApiUrl, projectId)),
        };
      },
    }),
  ];
}

async function findCertificate(sql: Sql, projectId: string): Promise<StoredCertificate | undefined> {
  const [found] = await sql.query<StoredCertificate>(
    `select certificate.pdf, certificate.sha256, certificate.link_token_hash as "linkTokenHash", handover.handed_over_at as "signedAt",
       project.status as "projectStatus",
       case when project.status = 'in_progress' then (select max(reopened_at) from project_reopenings where project_id = project.id) end as "reopenedAt"
     from certificates certificate
     join handovers handover on handover.project_id = certificate.project_id
     join projects project on project.id = certificate.project_id
     where certificate.project_id = $1`,
    [projectId],
  );
  return found;
}

/** Throws ProblemError unless the caller is an installer of the project or its organisation. */
async function requireReader(sql: Sql, caller: Caller, projectId: string): Promise<void> {
  if (caller.kind === "public")
    throw (
      caller.refused ??
      new ProblemError("unauthenticated", "The certificate is for those who took part.", {
        remedy: "Use the link that you were sent, or sign in.",
        headers: { "www-authenticate": 'Bearer realm="dynamo-csms"' },
      })
    );
  if (caller.kind === "organization" && !caller.scopes.includes("read:projects"))
    throw new ProblemError("missing_scope", "The API key lacks the scope read:projects.", {
      members: { required_scope: "read:projects" },
    });
  if (!(await mayRead(sql, caller, projectId))) throw noCertificate();
}

async function mayRead(sql: Sql, caller: Exclude<Caller, { kind: "public" }>, projectId: string): Promise<boolean> {
  const rows =
    caller.kind === "installer"
      ? await sql.query("select 1 from project_installers where project_id = $1 and installer_id = $2", [
          projectId,
          caller.installerId,
        ])
      : await sql.query("select 1 from projects where id = $1 and org_id = $2", [projectId, caller.orgId]);
  return rows.length > 0;
}

const noCertificate = () =>
  new ProblemError("not_found", "There is no certificate of such a project.", {
    remedy: "A certificate exists once the project is handed over.",
  });

function pdfReply(
  projectId: string,
  { pdf, sha256, signedAt }: StoredCertificate,
  ifNoneMatch: string | undefined,
): RawReply {
  const etag = `"${sha256.toString("hex")}"`;
  const headers = {
    etag,
    "last-modified": signedAt.toUTCString(),
    // The link may be shared, a cache on the way may not keep what it leads to.
    "cache-control": "private, no-cache",
    "referrer-policy": "no-referrer",
  };
  const known = ifNoneMatch?.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag || tag.trim() === "*");
  if (known === true) return { status: 304, headers, raw: Buffer.alloc(0) };
  return {
    status: 200,
    headers: {
      ...headers,
      "content-type": "application/pdf",
      "content-disposition": `inline; filename="handover-certificate-${projectId}.pdf"`,
    },
    raw: pdf,
  };
}

/** Browsers name text/html; programs that name nothing, or JSON, get JSON. */
const wantsPage = (accept: string | undefined) =>
  accept !== undefined && /\btext\/html\b/.test(accept) && !/^application\/json\b/.test(accept);
