import { expect, test } from "vitest";
import { readStackConfig } from "./stack-config.ts";

test("nothing set gives the documented ports, and URLs that follow from them", () => {
  expect(readStackConfig({})).toMatchObject({
    apiPort: 3000,
    gatewayPorts: [9000, 9001],
    mailPort: 1080,
    publicApiUrl: "http://localhost:3000",
    publicOcppUrl: "ws://localhost:9000",
    databaseUrl: undefined,
  });
  expect(readStackConfig({ API_PORT: "8080" }).publicApiUrl).toBe("http://localhost:8080");
});

test("a port that two things want is told", () => {
  expect(() => readStackConfig({ MAIL_PORT: "9001" })).toThrow("the same port twice");
});

test("all mistakes are listed at once", () => {
  const read = () =>
    readStackConfig({
      API_PORT: "x",
      MAIL_PORT: "9001",
      GATEWAY_PORTS: "9000,9001,70000",
      DATABASE_URL: "mysql://a",
      SMTP_URL: "nonsense",
    });
  for (const mistake of [
    /API_PORT=x/,
    /GATEWAY_PORTS: 70000/,

    /DATABASE_URL: want a URL that begins with postgres/,
    /SMTP_URL/,
  ])
    expect(read).toThrow(mistake);
});
