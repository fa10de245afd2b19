import { randomBytes } from "node:crypto";
import { z } from "zod";
import { emailAddress } from "../http/fields.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type RawReply, type Route } from "../http/route.ts";
import { escapeHtml, htmlPage } from "../mail/html-page.ts";
import { type AccountDeps, ALIKE_MS, newPassword, weakPassword } from "./account-routes.ts";
import { atLeast } from "./at-least.ts";
import { forgotPassword, resetPassword } from "./reset-password.ts";
import { resendVerification, verifyEmail } from "./verify-email.ts";

const linkToken = () => z.string().min(1).max(200);
const verified = z.object({
  installer_id: z.string(),
  email: z.string(),
  status: z.enum(["active", "disabled", "pending_verification"]),
});
const VERIFIED_EXAMPLE = { installer_id: "ins_01hx9k2m3n4p", email: "alex@acme-ev-installs.com", status: "active" };
const sent = (description: string, message: string) => ({
  description,
  schema: z.object({ message: z.string() }),
  example: { message },
});
const RESENT = "If an account with this address waits for verification, a mail is on its way.";
const FORGOT = "If there is an account with this address, a mail is on its way.";

const verificationGone = (why: "no-such-link" | "expired") =>
  new ProblemError("token_used", why === "expired" ? "The link is older than 48 hours." : "No such link was sent.", {
    remedy: "Ask for a new one with POST /api/v1/installer/resend-verification.",
  });

/** What is done with links from mails: in a browser (GET, a page) and by programs (POST). */
export function mailedLinkRoutes(deps: AccountDeps): Route[] {
  return [
    defineRoute({
      method: "get",
      path: "/api/v1/installer/verify-email",
      operationId: "openVerificationLink",
      summary: "Open the link of the verification mail",
      description:
        "Verifies the address of the sign-up that the link was mailed for, and shows a page that says so. Opening it again is harmless: mail scanners do it before people. HEAD does nothing.",
      tag: "Installer account",
      access: { kind: "public" },
      rateLimit: "mail",
      audited: true,
      query: z.strictObject({ token: linkToken() }),
      responses: {
        200: { description: "A page", contentType: "text/html" },
        410: { description: "A page: the link has expired", contentType: "text/html" },
      },
      async handle({ query, headOnly }) {
        // HEAD is for looking, by link checkers and mail scanners: which page GET would show is not found out for it.
        if (headOnly) return { status: 200, headers: pageHeaders(""), raw: async () => undefined };
        const outcome = await verifyEmail(deps, query.token);
        if (!outcome.ok)
          return page(410, "This link does not work any more", [
            "Links are valid for 48 hours. Ask for a new one with POST /api/v1/installer/resend-verification.",
          ]);
        return page(200, "Your e-mail address is verified", [
          "Your installer account is active: you can log in now.",
          `Your installer id is ${outcome.value.id}. Give it to the operator who hires you, so that you can be added to the project.`,
        ]);
      },
    }),
    defineRoute({
      method: "post",
      path: "/api/v1/installer/verify-email",
      operationId: "verifyEmail",
      summary: "Verify the e-mail address with the token of the mailed link",
      tag: "Installer account",
      access: { kind: "public" },
      rateLimit: "mail",
      body: z.strictObject({ token: linkToken() }),
      responses: { 200: { description: "The address is verified", schema: verified, example: VERIFIED_EXAMPLE } },
      problems: ["token_used"],
      async handle({ body }) {
        const outcome = await verifyEmail(deps, body.token);
        if (!outcome.ok) throw verificationGone(outcome.error);
        const { id: installer_id, email, status } = outcome.value;
        return { status: 200, body: { installer_id, email, status } };
      },
    }),
    defineRoute({
      method: "post",
      path: "/api/v1/installer/resend-verification",
      operationId: "resendVerification",
      summary: "Send the verification mail again",
      description: "The answer is always the same, whether there is such an account or not.",
      tag: "Installer account",
      access: { kind: "public" },
      rateLimit: "mail",
      body: z.strictObject({ email: emailAddress() }),
      responses: { 202: sent("A mail is on its way if an account waits for it", RESENT) },
      async handle({ body }) {
        await atLeast(ALIKE_MS, resendVerification(deps, body.email));
        return { status: 202, body: { message: RESENT } };
      },
    }),
    defineRoute({
      method: "post",
      path: "/api/v1/installer/forgot-password",
      operationId: "forgotPassword",
      summary: "Send a mail with a link to set a new password",
      description: "The answer is always the same, whether there is such an account or not.",
      tag: "Installer account",
      access: { kind: "public" },
      rateLimit: "mail",
      body: z.strictObject({ email: emailAddress() }),
      responses: { 200: sent("A mail is on its way if there is an account", FORGOT) },
      async handle({ body }) {
        await atLeast(ALIKE_MS, forgotPassword(deps, body.email));
        return { status: 200, body: { message: FORGOT } };
      },
    }),
    defineRoute({
      method: "get",
      path: "/api/v1/installer/reset-password",
      operationId: "openResetLink",
      summary: "Open the link of the password mail: a page with a form",
      tag: "Installer account",
      access: { kind: "public" },
      rateLimit: "mail",
      query: z.strictObject({ token: linkToken() }),
      responses: { 200: { description: "A page with a form", contentType: "text/html" } },
      handle: async ({ query }) => resetForm(query.token),
    }),
    defineRoute({
      method: "post",
      path: "/api/v1/installer/reset-password",
      operationId: "resetPassword",
      summary: "Set a new password",
      description: "Works once per link. Every access token of the account ends.",
      tag: "Installer account",
      access: { kind: "public" },
      rateLimit: "mail",
      body: z.strictObject({ token: linkToken(), password: newPassword() }),
      responses: { 200: { description: "The new password is set", schema: verified, example: VERIFIED_EXAMPLE } },
      problems: ["token_used"],
      async handle({ body }) {
        const outcome = await resetPassword(deps, body.token, body.password);
        if (outcome.ok) {
          const { id: installer_id, email, status } = outcome.value;
          return { status: 200, body: { installer_id, email, status } };
        }
        if (outcome.error.kind === "weak") throw weakPassword(outcome.error.why);
        throw new ProblemError("token_used", "The link has expired or was used.", {
          remedy: "Ask for a new one with POST /api/v1/installer/forgot-password.",
        });
      },
    }),
  ];
}

const pageHeaders = (scripts: string) => ({
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "content-security-policy": `default-src 'none'; style-src 'unsafe-inline'; ${scripts}base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
});

function page(status: number, title: string, paragraphs: string[]): RawReply {
  const blocks = [`<h1>${escapeHtml(title)}</h1>`, ...paragraphs.map((text) => `<p>${escapeHtml(text)}</p>`)];
  return { status, headers: pageHeaders(""), raw: htmlPage(title, blocks) };
}

/** The token is not looked at yet: a scanner that opens the link uses nothing up. */
function resetForm(token: string): RawReply {
  const nonce = randomBytes(16).toString("base64");
  const script = `
const form = document.querySelector("form"), said = document.querySelector("output");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  said.textContent = "";
  const body = JSON.stringify({ token: form.dataset.token, password: form.password.value });
  try {
    const answer = await fetch(location.pathname, { method: "POST", headers: { "content-type": "application/json" }, body });
    const reply = await answer.json();
    if (answer.ok) form.remove();
    said.textContent = answer.ok ? "Your new password is set. You can log in with it now." : reply.detail + " " + reply.remedy;
  } catch { said.textContent = "The request did not get through. Try again."; }
});`;
  const blocks = [
    "<h1>Set a new password</h1>",
    `<form data-token="${escapeHtml(token)}"><p><label>New password (10 characters or more)<br><input name="password" type="password" autocomplete="new-password" minlength="10" maxlength="200" required></label></p><p><button>Set the password</button></p></form>`,
    '<p><output aria-live="polite"></output></p>',
    `<script nonce="${nonce}">${script}</script>`,
  ];
  return {
    status: 200,
    headers: pageHeaders(`script-src 'nonce-${nonce}'; connect-src 'self'; `),
    raw: htmlPage("Set a new password", blocks),
  };
}
