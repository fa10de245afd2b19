import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import swaggerUi from "swagger-ui-dist";
import { z } from "zod";
import { escapeHtml, htmlPage } from "../mail/html-page.ts";
import type { JsonSchema } from "./json-schema.ts";
import { ProblemError, PROBLEMS } from "./problems.ts";
import { defineRoute, type RawReply, type Route } from "./route.ts";

/** The only files of the bundle that the page loads; everything comes from this server, nothing from elsewhere. */
const ASSETS: Record<string, string> = {
  "swagger-ui.css": "text/css; charset=utf-8",
  "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
  "favicon-32x32.png": "image/png",
};

const START = `SwaggerUIBundle({ url: "/openapi.json", dom_id: "#reference", deepLinking: true, validatorUrl: null, tryItOutEnabled: false });`;
const START_HASH = createHash("sha256").update(START).digest("base64");

// Swagger UI writes style attributes and draws its icons from data URLs.
const CSP = `default-src 'none'; script-src 'self' 'sha256-${START_HASH}'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`;

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Dynamo CSMS API</title>
<link rel="icon" href="/docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
<div id="reference"><noscript>The machine-readable reference is at <a href="/openapi.json">/openapi.json</a>.</noscript></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script>${START}</script>
</body>
</html>
`;

/**
 * The API reference: the OpenAPI document, a page that shows it without any other host, and a page for each problem's `type`.
 * @param document called at the first request, when all routes are known.
 */
export function docsRoutes(document: () => JsonSchema): Route[] {
  const openApi = once(() => Buffer.from(JSON.stringify(document()), "utf8"));
  const html = (raw: string, status = 200): RawReply => ({
    status,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "public, max-age=300",
      "content-security-policy": CSP,
    },
    raw,
  });
  const shared = { method: "get", tag: "Reference", access: { kind: "public" }, rateLimit: "read" } as const;
  return [
    defineRoute({
      ...shared,
      path: "/openapi.json",
      operationId: "getOpenApi",
      summary: "This API as OpenAPI 3.1",
      responses: { 200: { description: "The document", schema: z.record(z.string(), z.unknown()) } },
      handle: async () => ({
        status: 200,
        headers: {
          "content-type": "application/json; charset=utf-8",
          "cache-control": "public, max-age=300",
          "access-control-allow-origin": "*",
        },
        raw: openApi(),
      }),
    }),
    defineRoute({
      ...shared,
      path: "/docs",
      operationId: "getDocs",
      summary: "The API reference as a page",
      responses: { 200: { description: "A page", contentType: "text/html" } },
      handle: async () => html(PAGE),
    }),
    defineRoute({
      ...shared,
      path: "/docs/assets/{name}",
      operationId: "getDocsAsset",
      summary: "Scripts and styles of the reference page",
      params: z.strictObject({ name: z.string() }),
      responses: { 200: { description: "The file", contentType: "application/octet-stream" } },
      problems: ["not_found"],
      async handle({ params }) {
        const type = Object.hasOwn(ASSETS, params.name) ? ASSETS[params.name] : undefined;
        if (type === undefined) throw new ProblemError("not_found", "There is nothing at this address.");
        const raw = await readFile(join(swaggerUi.getAbsoluteFSPath(), params.name));
        return { status: 200, headers: { "content-type": type, "cache-control": "public, max-age=86400" }, raw };
      },
    }),
    defineRoute({
      ...shared,
      path: "/docs/problems/{code}",
      operationId: "getProblemPage",
      summary: "What a problem's code means and what to do about it",
      params: z.strictObject({ code: z.string() }),
      responses: { 200: { description: "A page", contentType: "text/html" } },
      problems: ["not_found"],
      async handle({ params }) {
        const problem = Object.entries(PROBLEMS).find(([code]) => code === params.code)?.[1];
        if (problem === undefined) throw new ProblemError("not_found", "There is no problem with this code.");
        const { title, status, remedy } = problem;
        return html(
          htmlPage(title, [
            `<h1>${escapeHtml(title)}</h1>`,
            `<p><code>${escapeHtml(params.code)}</code>, HTTP status ${status}</p>`,
            `<p>What to do: ${escapeHtml(remedy)}</p>`,
            '<p><a href="/docs">API reference</a></p>',
          ]),
        );
      },
    }),
  ];
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}
