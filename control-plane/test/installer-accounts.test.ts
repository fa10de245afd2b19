import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiWorld, SIGN_UP, startApiWorld } from "./api-world.ts";

let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld();
});
afterAll(() => world.close());

const pathOf = (link: string) => link.slice(world.config.publicApiUrl.length);
const logIn = (email: string, password = SIGN_UP.password) =>
  world.ask("POST", "/api/v1/installer/login", { body: { email, password } });

test("signing up, verifying and logging in answer as the quickstart says, with its own values", async () => {
  const signedUp = await world.ask("POST", "/api/v1/installer/signup", { body: SIGN_UP });
  expect(signedUp.status).toBe(201);
  expect(signedUp.body).toEqual({
    installer_id: expect.stringMatching(/^ins_[0-9a-z]{12}$/),
    email: SIGN_UP.email,
    status: "pending_verification",
    message: "Check your email to verify your account before logging in.",
  });
  expect(await logIn(SIGN_UP.email)).toMatchObject({ status: 403, body: { code: "email_not_verified" } });

  const mail = await world.mailTo(SIGN_UP.email, "verify_email");
  const page = await world.ask("GET", pathOf(mail?.["url"] as string));
  expect(page).toMatchObject({ status: 200, body: expect.stringContaining(signedUp.body.installer_id) });
  expect(page.headers.get("content-type")).toMatch(/^text\/html/);
  // A mail scanner was here before the person.
  expect((await world.ask("GET", pathOf(mail?.["url"] as string))).status).toBe(200);

  const loggedIn = await logIn(SIGN_UP.email);
  expect(loggedIn.status).toBe(200);
  expect(loggedIn.headers.get("cache-control")).toBe("no-store");
  expect(loggedIn.body).toEqual({
    access_token: expect.stringMatching(/^eyJ[\w-]+\.[\w-]+\.[\w-]+$/),
    token_type: "Bearer",
    expires_in: 3600,
    installer_id: signedUp.body.installer_id,
  });
  const me = await world.ask("GET", "/api/v1/installer/me", { as: loggedIn.body.access_token });
  expect(me).toMatchObject({
    status: 200,
    body: {
      installer_id: signedUp.body.installer_id,
      email: SIGN_UP.email,
      full_name: "Alex Technician",
      phone: SIGN_UP.phone,
      company: SIGN_UP.company,
      status: "active",
    },
  });
});

test("[E6] nobody can find out by signing up whether an address has an account; its owner gets a mail", async () => {
  const { email, installerId } = await world.installer();
  const again = await world.ask("POST", "/api/v1/installer/signup", {
    body: { ...SIGN_UP, email: email.toUpperCase(), password: "another-good-one" },
  });
  expect(again).toMatchObject({
    status: 201,
    body: { status: "pending_verification", message: "Check your email to verify your account before logging in." },
  });
  expect(again.body.installer_id).not.toBe(installerId);
  expect(await world.mailTo(email, "account_exists")).toMatchObject({ installer_id: installerId });
  expect((await logIn(email)).status).toBe(200);
  expect((await logIn(email, "another-good-one")).status).toBe(401);
});

test("[E6] a wrong password and an unknown address are the same answer", async () => {
  const { email } = await world.installer();
  const [wrong, unknown] = await Promise.all([logIn(email, "not-the-password"), logIn("nobody@example.org")]);
  const visible = ({ status, body: { request_id: _, instance: __, ...body } }: typeof wrong) => ({ status, body });
  expect(visible(wrong)).toEqual(visible(unknown));
  expect(wrong).toMatchObject({ status: 401, body: { code: "invalid_credentials" } });
  expect(wrong.headers.get("www-authenticate")).toMatch(/^Bearer/);
});

test.each([
  ["too short", "short-pwd", "too_short"],
  ["common", "Password123", "too_weak"],
  ["one character", "aaaaaaaaaaaa", "too_weak"],
  ["the address itself", "weak@example.org", "too_weak"],
])("a password that is %s is refused", async (_, password, code) => {
  const { status, body } = await world.ask("POST", "/api/v1/installer/signup", {
    body: { ...SIGN_UP, email: "weak@example.org", password },
  });
  expect({ status, errors: body.errors }).toMatchObject({ status: 422, errors: [{ pointer: "/password", code }] });
});

test("the token of the link verifies by POST too; a link that nobody sent is gone", async () => {
  const email = "post@example.org";
  await world.ask("POST", "/api/v1/installer/signup", { body: { ...SIGN_UP, email } });
  const token = new URL((await world.mailTo(email, "verify_email"))?.["url"] as string).searchParams.get("token");
  const verified = await world.ask("POST", "/api/v1/installer/verify-email", { body: { token } });
  expect(verified).toMatchObject({ status: 200, body: { email, status: "active" } });
  expect(await world.ask("POST", "/api/v1/installer/verify-email", { body: { token: "nonsense" } })).toMatchObject({
    status: 410,
    body: { code: "token_used" },
  });
  expect(await world.ask("GET", "/api/v1/installer/verify-email?token=nonsense")).toMatchObject({
    status: 410,
    body: expect.stringContaining("does not work any more"),
  });
});

test("[E6] an expired link does not verify, and a new one can be had; the answer tells nothing", async () => {
  const email = "late@example.org";
  await world.ask("POST", "/api/v1/installer/signup", { body: { ...SIGN_UP, email } });
  const first = (await world.mailTo(email, "verify_email"))?.["url"] as string;
  await world.sql.query(
    "update installer_tokens set expires_at = now() - interval '1 second' where installer_id = (select id from installers where email = $1)",
    [email],
  );
  expect((await world.ask("GET", pathOf(first))).status).toBe(410);
  const known = await world.ask("POST", "/api/v1/installer/resend-verification", { body: { email } });
  const unknown = await world.ask("POST", "/api/v1/installer/resend-verification", {
    body: { email: "nobody@example.org" },
  });
  expect([known.status, known.body]).toEqual([202, unknown.body]);
  const second = (await world.mailTo(email, "verify_email"))?.["url"] as string;
  expect(second).not.toBe(first);
  expect((await world.ask("GET", pathOf(second))).status).toBe(200);
});

test("[E6] a forgotten password is set anew once, and ends every token of the account", async () => {
  const { email, token } = await world.installer();
  const known = await world.ask("POST", "/api/v1/installer/forgot-password", { body: { email } });
  const unknown = await world.ask("POST", "/api/v1/installer/forgot-password", {
    body: { email: "nobody@example.org" },
  });
  expect([known.status, known.body]).toEqual([200, unknown.body]);

  const link = (await world.mailTo(email, "reset_password"))?.["url"] as string;
  const form = await world.ask("GET", pathOf(link));
  expect(form).toMatchObject({ status: 200, body: expect.stringContaining("<form") });
  const resetToken = new URL(link).searchParams.get("token");
  const reset = (password: string) =>
    world.ask("POST", "/api/v1/installer/reset-password", { body: { token: resetToken, password } });
  expect(await reset("password1234")).toMatchObject({ status: 422, body: { errors: [{ pointer: "/password" }] } });
  expect(await reset("a-new-good-password")).toMatchObject({ status: 200, body: { email } });
  expect(await reset("yet-another-password")).toMatchObject({ status: 410, body: { code: "token_used" } });

  expect(await world.ask("GET", "/api/v1/installer/me", { as: token })).toMatchObject({
    status: 401,
    body: { code: "session_ended", detail: expect.stringContaining("a new password") },
  });
  expect((await logIn(email)).status).toBe(401);
  expect((await logIn(email, "a-new-good-password")).status).toBe(200);
});

test("after a logout the token is refused, other tokens of the account are not", async () => {
  const { email, token } = await world.installer();
  const other = (await logIn(email)).body.access_token;
  expect((await world.ask("POST", "/api/v1/installer/logout", { as: token })).status).toBe(204);
  const refused = await world.ask("GET", "/api/v1/installer/me", { as: token });
  expect(refused).toMatchObject({
    status: 401,
    body: { code: "session_ended", detail: "This session was ended by a log-out." },
  });
  expect(refused.headers.get("www-authenticate")).toContain('error="invalid_token"');
  expect((await world.ask("GET", "/api/v1/installer/me", { as: other })).status).toBe(200);
});

test("a disabled account's token and password are refused", async () => {
  const { email, token, installerId } = await world.installer();
  await world.sql.query("update installers set status = 'disabled' where id = $1", [installerId]);
  expect((await world.ask("GET", "/api/v1/installer/me", { as: token })).status).toBe(401);
  expect(await logIn(email)).toMatchObject({ status: 403, body: { code: "account_disabled" } });
  expect((await logIn(email, "wrong-password")).body.code).toBe("invalid_credentials");
});

test.each(["full_name", "company"])("[E15] %s cannot carry another mail header", async (field) => {
  const { status, body } = await world.ask("POST", "/api/v1/installer/signup", {
    body: { ...SIGN_UP, [field]: "Alex\r\nBcc: spy@example.org" },
  });
  expect({ status, pointer: body.errors[0].pointer }).toEqual({ status: 422, pointer: `/${field}` });
});
