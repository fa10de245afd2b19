import { z } from "zod";
import { emailAddress, isoTime, oneLine } from "../http/fields.ts";
import { isoSeconds } from "../http/iso-time.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { atLeast } from "./at-least.ts";
import { InstallerEntity } from "./installer.entity.ts";
import { type LogInDeps, logIn, logOut } from "./log-in.ts";
import { MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH, passwordWeakness } from "./password.ts";
import { signUp, type SignUpDeps } from "./sign-up.ts";

export type AccountDeps = SignUpDeps & LogInDeps;

/** Longer than the work takes, so that both outcomes of "is there an account?" look alike. */
export const ALIKE_MS = 300;

export const newPassword = () =>
  z
    .string()
    .min(MIN_PASSWORD_LENGTH)
    .max(MAX_PASSWORD_LENGTH)
    .describe(
      `${MIN_PASSWORD_LENGTH} to ${MAX_PASSWORD_LENGTH} characters of any kind; the most common passwords are refused`,
    );

/** For the field that holds a password which may not be chosen. */
export const weakPassword = (why: string) =>
  new ProblemError("validation_failed", `/password: ${why}`, {
    errors: [{ pointer: "/password", code: "too_weak", detail: why }],
  });

const quickstartSignUp = {
  email: "alex@acme-ev-installs.com",
  password: "your-secure-password",
  full_name: "Alex Technician",
  phone: "+447700900123",
  company: "Acme EV Installations",
};

/** Sign-up, login, logout and the installer's own profile. */
export function accountRoutes(deps: AccountDeps): Route[] {
  return [
    defineRoute({
      method: "post",
      path: "/api/v1/installer/signup",
      operationId: "signUpInstaller",
      summary: "Sign up as an installer",
      description:
        "Makes an account that is activated by the link in a mail. The answer is the same when the address has an account already (its owner gets a mail that says so), so that nobody can find out who has one.",
      tag: "Installer account",
      access: { kind: "public" },
      rateLimit: "signup",
      idempotent: true,
      body: z.strictObject({
        email: emailAddress(),
        password: newPassword(),
        full_name: oneLine(200),
        phone: z
          .string()
          .regex(/^\+[1-9]\d{6,14}$/u)
          .describe("E.164: a plus sign, country code and number, digits only, such as +447700900123"),
        company: oneLine(200),
      }),
      bodyExample: quickstartSignUp,
      responses: {
        201: {
          description: "The account waits for its verification",
          schema: z.object({
            installer_id: z.string(),
            email: z.string(),
            status: z.literal("pending_verification"),
            message: z.string(),
          }),
          example: {
            installer_id: "ins_01hx9k2m3n4p",
            email: "alex@acme-ev-installs.com",
            status: "pending_verification",
            message: "Check your email to verify your account before logging in.",
          },
        },
      },
      async handle({ body }) {
        const why = passwordWeakness(body.password, body.email);
        if (why !== undefined) throw weakPassword(why);
        const { installerId } = await atLeast(ALIKE_MS, signUp(deps, body));
        const message = "Check your email to verify your account before logging in.";
        return {
          status: 201,
          body: { installer_id: installerId, email: body.email, status: "pending_verification", message },
        };
      },
    }),
    defineRoute({
      method: "post",
      path: "/api/v1/installer/login",
      operationId: "logInInstaller",
      summary: "Log in and obtain an access token",
      description: "The token is valid for one hour; there is no refresh token, log in again.",
      tag: "Installer account",
      access: { kind: "public" },
      rateLimit: "login",
      body: z.strictObject({ email: z.string().min(1).max(254), password: z.string().min(1).max(MAX_PASSWORD_LENGTH) }),
      bodyExample: { email: quickstartSignUp.email, password: quickstartSignUp.password },
      responses: {
        200: {
          description: "Logged in",
          schema: z.object({
            access_token: z.string(),
            token_type: z.literal("Bearer"),
            expires_in: z.literal(3600),
            installer_id: z.string(),
          }),
          example: {
            access_token: "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9...",
            token_type: "Bearer",
            expires_in: 3600,
            installer_id: "ins_01hx9k2m3n4p",
          },
        },
      },
      problems: ["invalid_credentials", "email_not_verified", "account_disabled"],
      async handle({ body, remoteAddress }) {
        const outcome = await logIn(deps, body.email, body.password, remoteAddress);
        if (outcome.ok) return { status: 200, headers: { "cache-control": "no-store" }, body: outcome.value };
        switch (outcome.error.kind) {
          case "wrong":
            throw new ProblemError("invalid_credentials", "No account has this e-mail address and password.", {
              headers: { "www-authenticate": 'Bearer realm="dynamo-csms"' },
            });
          case "not-verified":
            throw new ProblemError("email_not_verified", "The e-mail address of this account is not verified yet.");
          case "disabled":
            throw new ProblemError("account_disabled", "This account was closed.");
          case "too-often":
            throw new ProblemError("rate_limited", "Too many attempts to log in to this account from here.", {
              retryAfterSeconds: outcome.error.retryAfterSeconds,
              headers: outcome.error.headers,
            });
        }
      },
    }),
    defineRoute({
      method: "post",
      path: "/api/v1/installer/logout",
      operationId: "logOutInstaller",
      summary: "End the access token now",
      tag: "Installer account",
      access: { kind: "installer" },
      rateLimit: "write",
      responses: { 204: { description: "The token is refused from now on" } },
      async handle({ caller }) {
        await logOut(deps, caller.tokenId, caller.tokenExpiresAt);
        return { status: 204 };
      },
    }),
    defineRoute({
      method: "get",
      path: "/api/v1/installer/me",
      operationId: "getInstaller",
      summary: "The installer's profile, with the installer_id to give to the CPO",
      tag: "Installer account",
      access: { kind: "installer" },
      rateLimit: "read",
      responses: {
        200: {
          description: "The profile",
          schema: z.object({
            installer_id: z.string(),
            email: z.string(),
            full_name: z.string(),
            phone: z.string(),
            company: z.string(),
            status: z.enum(["pending_verification", "active", "disabled"]),
            created_at: isoTime(),
          }),
          example: {
            installer_id: "ins_01hx9k2m3n4p",
            email: quickstartSignUp.email,
            full_name: quickstartSignUp.full_name,
            phone: quickstartSignUp.phone,
            company: quickstartSignUp.company,
            status: "active",
            created_at: "2026-04-27T09:12:00Z",
          },
        },
      },
      async handle({ caller }) {
        const me = await deps.orm.em.fork().findOneOrFail(InstallerEntity, { id: caller.installerId });
        const { id: installer_id, email, fullName: full_name, phone, company, status } = me;
        return {
          status: 200,
          body: { installer_id, email, full_name, phone, company, status, created_at: isoSeconds(me.createdAt) },
        };
      },
    }),
  ];
}
