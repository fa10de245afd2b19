import { afterAll, beforeAll, expect, test } from "vitest";
import { newId } from "../ids.ts";
import { type ApiWorld, SIGN_UP, startApiWorld } from "./api-world.ts";

// Sign-ups with one address by several people, of whom one reads its mail.

let world: ApiWorld;
beforeAll(async () => {
  world = await startApiWorld();
});
afterAll(() => world.close());

const MALLORY = { password: "mallorys-own-secret", full_name: "Mallory", phone: "+15550100", company: "Evil Ltd" };
const VICTIM = {
  password: "the-victims-own-one",
  full_name: "Victoria Tim",
  phone: "+447700900999",
  company: "Good Ltd",
};

const newAddress = () => `${newId("ins")}@example.org`;
const signUp = async (email: string, who: object) => {
  const { status, body } = await world.ask("POST", "/api/v1/installer/signup", { body: { ...SIGN_UP, ...who, email } });
  expect(status).toBe(201);
  const mail = (await world.mailTo(email, "verify_email")) as { url: string; full_name: string };
  return { installerId: body.installer_id as string, name: mail.full_name, path: pathOf(mail.url) };
};
const pathOf = (link: string) => link.slice(world.config.publicApiUrl.length);
const open = (path: string) => world.ask("GET", path);
const logIn = (email: string, { password }: { password: string }) =>
  world.ask("POST", "/api/v1/installer/login", { body: { email, password } });
const rowsOf = (email: string) => world.sql.query("select id, status from installers where email_key = $1", [email]);

test("whoever signed up first with somebody else's address gains nothing from the owner's click", async () => {
  const email = newAddress();
  const mallory = await signUp(email, MALLORY);
  const victim = await signUp(email, VICTIM);
  expect([mallory.name, victim.name]).toEqual(["Mallory", "Victoria Tim"]);
  expect(victim.installerId).not.toBe(mallory.installerId);

  const page = await open(victim.path);
  expect(page).toMatchObject({ status: 200, body: expect.stringContaining(victim.installerId) });
  expect((await logIn(email, MALLORY)).body.code).toBe("invalid_credentials");
  const loggedIn = await logIn(email, VICTIM);
  expect(loggedIn).toMatchObject({ status: 200, body: { installer_id: victim.installerId } });
  const me = await world.ask("GET", "/api/v1/installer/me", { as: loggedIn.body.access_token });
  const { password: _, ...profile } = VICTIM;
  expect(me.body).toMatchObject({ installer_id: victim.installerId, email, ...profile });

  expect((await open(mallory.path)).status).toBe(410);
  expect((await logIn(email, MALLORY)).status).toBe(401);
  expect(await rowsOf(email)).toEqual([{ id: victim.installerId, status: "active" }]);
});

test("a later sign-up by somebody else does not spoil the link of the first", async () => {
  const email = newAddress();
  const victim = await signUp(email, VICTIM);
  await signUp(email, MALLORY);
  expect((await open(victim.path)).status).toBe(200);
  expect((await logIn(email, VICTIM)).status).toBe(200);
  expect((await logIn(email, MALLORY)).status).toBe(401);
});

test("a link that is sent again is the newest sign-up's", async () => {
  const email = newAddress();
  const first = await signUp(email, MALLORY);
  const second = await signUp(email, VICTIM);
  await world.ask("POST", "/api/v1/installer/resend-verification", { body: { email } });
  const mail = await world.mailTo(email, "verify_email");
  expect(mail?.["full_name"]).toBe("Victoria Tim");
  const again = pathOf(mail?.["url"] as string);
  expect(again).not.toBe(second.path);
  expect((await open(again)).status).toBe(200);
  expect((await open(second.path)).status).toBe(200); // the same sign-up: opening it again says the same
  expect((await open(first.path)).status).toBe(410);
});

test("setting a password by mail keeps one sign-up and voids the others", async () => {
  const email = newAddress();
  const mallory = await signUp(email, MALLORY);
  await signUp(email, VICTIM);
  await world.ask("POST", "/api/v1/installer/forgot-password", { body: { email } });
  const link = (await world.mailTo(email, "reset_password"))?.["url"] as string;
  const token = new URL(link).searchParams.get("token");
  const reset = await world.ask("POST", "/api/v1/installer/reset-password", {
    body: { token, password: "set-by-mail-now" },
  });
  expect(reset).toMatchObject({ status: 200, body: { status: "active" } });
  expect((await open(mallory.path)).status).toBe(410);
  expect((await logIn(email, { password: "set-by-mail-now" })).status).toBe(200);
  expect((await logIn(email, MALLORY)).status).toBe(401);
});

test("what was assigned to a sign-up that came to nothing is taken back", async () => {
  const email = newAddress();
  const mallory = await signUp(email, MALLORY);
  const { key } = await world.organization();
  const projectId = await world.project(key, mallory.installerId);
  const victim = await signUp(email, VICTIM);
  expect((await open(victim.path)).status).toBe(200);
  expect((await world.ask("GET", `/api/v1/projects/${projectId}`, { as: key })).body.installers).toEqual([]);
});

test("at the same moment: many sign-ups and many clicks make one account", async () => {
  const email = newAddress();
  const body = { ...SIGN_UP, email };
  const answers = await Promise.all([1, 2, 3].map(() => world.ask("POST", "/api/v1/installer/signup", { body })));
  expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
  expect(new Set(answers.map((answer) => answer.body.installer_id)).size).toBe(3);
  const mails = await world.mailsTo(email, "verify_email");
  expect(mails).toHaveLength(3);
  const clicks = await Promise.all(mails.map((mail) => open(pathOf(mail["url"] as string))));
  expect(clicks.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(clicks.filter(({ status }) => status === 410)).toHaveLength(2);
  const rows = await rowsOf(email);
  expect(rows).toMatchObject([{ status: "active" }]);
  expect(clicks.find(({ status }) => status === 200)?.body).toContain(rows[0]?.["id"]);
});

test("HEAD on the link does nothing", async () => {
  const email = newAddress();
  const { path } = await signUp(email, VICTIM);
  const head = await world.ask("HEAD", path);
  expect([head.status, head.body, head.headers.get("content-type")]).toEqual([200, "", "text/html; charset=utf-8"]);
  expect((await logIn(email, VICTIM)).body.code).toBe("email_not_verified");
  expect((await open(path)).status).toBe(200);
  expect((await logIn(email, VICTIM)).status).toBe(200);
});

test("an address whose domain is not ASCII signs up, and is one account however it is written", async () => {
  const name = newId("ins");
  const { status, body } = await world.ask("POST", "/api/v1/installer/signup", {
    body: { ...SIGN_UP, email: `${name}@bücher.example` },
  });
  expect([status, body.email]).toEqual([201, `${name}@xn--bcher-kva.example`]);
  await open(pathOf((await world.mailTo(body.email, "verify_email"))?.["url"] as string));
  for (const email of [`${name}@bücher.example`, `${name}@BÜCHER.example`, `${name}@xn--bcher-kva.example`])
    expect((await logIn(email, SIGN_UP)).status).toBe(200);
});
