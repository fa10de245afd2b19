import { digestPassword } from "@dynamo-csms/proto/station-password";
import type { StationRecord } from "@dynamo-csms/proto/station-record";
import { describe, expect, test } from "vitest";
import { admit, type UpgradeClaim } from "./admission.ts";
import { refusalAnswer } from "./refusals.ts";
import type { DirectoryAnswer } from "./station-directory.ts";

const PEPPER = Buffer.alloc(32, 7);

function scene({
  record = {},
  answer,
  failures = 3,
}: { record?: Partial<StationRecord>; answer?: DirectoryAnswer; failures?: number } = {}) {
  const known: StationRecord = {
    v: 1,
    rev: 1,
    orgId: "org_1",
    chargePointId: "cp_1",
    identitySpelling: "CS001",
    verifiers: [
      { digest: digestPassword(Buffer.from("right"), PEPPER).toString("base64"), pepperId: "p1", encoding: "literal" },
    ],
    ocppVersions: ["1.6", "2.0.1"],
    securityProfile: 1,
    registration: "accepted",
    heartbeatIntervalSeconds: 300,
    retired: false,
    ...record,
  };
  const failedAttempts: string[] = [];
  const attempt = (claim: Partial<UpgradeClaim> & { password?: string; user?: string } = {}) => {
    const { password = "right", user = "CS001", ...rest } = claim;
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
    return admit(
      {
        path: "/ocpp/1.6/CS001",
        subprotocols: "ocpp1.6",
        authorization,
        remoteAddress: "192.0.2.1",
        tls: false,
        ...rest,
      },
      {
        ocppPaths: ["/ocpp"],
        peppers: new Map([["p1", PEPPER]]),
        findStation: (identity) =>
          Promise.resolve(answer ?? (identity === "cs001" ? { kind: "found", record: known } : { kind: "unknown" })),
        failedLogins: {
          exhausted: (key) => failedAttempts.filter((failed) => failed === key).length >= failures,
          take: (key) => failedAttempts.push(key) > 0,
        },
      },
    );
  };
  const reason = async (claim?: Parameters<typeof attempt>[0]) => {
    const admitted = await attempt(claim);
    return admitted.ok ? "admitted" : admitted.error.reason;
  };
  return { attempt, reason };
}

describe("a station with the right password", () => {
  test("is admitted with the version that it prefers and is registered for", async () => {
    const admitted = await scene().attempt({ subprotocols: "ocpp2.1, ocpp2.0.1, ocpp1.6" });
    expect(admitted).toMatchObject({
      ok: true,
      value: { identity: "cs001", subprotocol: { version: "2.0.1", token: "ocpp2.0.1" } },
    });
  });

  test("is told by a note when the path names another version", async () => {
    expect(await scene().attempt({ subprotocols: "ocpp2.0.1" })).toMatchObject({
      ok: true,
      value: { notes: ["version-in-path-differs"] },
    });
  });

  test("is admitted with its new password while the old one still holds", async () => {
    const verifiers = ["old", "right"].map((password) => ({
      digest: digestPassword(Buffer.from(password), PEPPER).toString("base64"),
      pepperId: "p1",
      encoding: "literal" as const,
    }));
    const { reason } = scene({ record: { verifiers } });
    expect([await reason({ password: "right" }), await reason({ password: "old" })]).toEqual(["admitted", "admitted"]);
  });

  test("learns that it offers no version that it is registered for", async () => {
    const admitted = await scene().attempt({ subprotocols: "ocpp2.1" });
    expect(admitted).toEqual({
      ok: false,
      error: { reason: "no-common-subprotocol", detail: "this charge point is registered for OCPP 1.6, 2.0.1" },
    });
  });

  test("learns that it was retired", async () => {
    expect(await scene({ record: { retired: true } }).reason()).toBe("retired");
  });

  test("needs TLS with security profile 2", async () => {
    const { reason } = scene({ record: { securityProfile: 2 } });
    expect([await reason(), await reason({ tls: true })]).toEqual(["tls-required", "admitted"]);
  });

  test("cannot use a password with security profile 3", async () => {
    expect(await scene({ record: { securityProfile: 3 } }).reason({ tls: true })).toBe("client-certificate-required");
  });
});

describe("a stranger", () => {
  test("is told the same whether the station, the password, the user name or all is wrong", async () => {
    const { attempt } = scene();
    const refused = [
      await attempt({ path: "/ocpp/1.6/CS999", user: "CS999" }),
      await attempt({ password: "wrong" }),
      await attempt({ user: "CS002" }),
      await attempt({ authorization: "" }),
    ];
    const answers = refused.map((admitted) => (admitted.ok ? undefined : refusalAnswer(admitted.error)));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]?.status).toBe("401 Unauthorized");
    expect(answers[0]?.headers).toContainEqual(["WWW-Authenticate", 'Basic realm="OCPP", charset="UTF-8"']);
  });

  test("does not learn that a station was retired", async () => {
    expect(await scene({ record: { retired: true } }).reason({ password: "wrong" })).toBe("bad-credentials");
  });

  test("is stopped after some failures, and only there: the station itself still gets in", async () => {
    const { reason } = scene();
    for (let i = 0; i < 3; i++) expect(await reason({ password: "wrong" })).toBe("bad-credentials");
    expect(await reason({ password: "wrong" })).toBe("too-many-attempts");
    expect(await reason({ remoteAddress: "192.0.2.2" })).toBe("admitted");
  });

  test("cannot use a verifier whose pepper is gone, even with its empty stand-in", async () => {
    const digest = digestPassword(Buffer.from("right"), Buffer.alloc(32)).toString("base64");
    expect(await scene({ record: { verifiers: [{ digest, pepperId: "gone", encoding: "literal" }] } }).reason()).toBe(
      "bad-credentials",
    );
  });
});

describe("without the means to check", () => {
  test.each([
    [{ kind: "away", what: "storage" }, "storage-away", "503 Service Unavailable"],
    [{ kind: "away", what: "control-plane" }, "control-plane-away", "503 Service Unavailable"],
    [{ kind: "limited" }, "too-many-attempts", "429 Too Many Requests"],
  ] as const)("%j is %s, never 401", async (answer, reason, status) => {
    expect(await scene({ answer }).reason()).toBe(reason);
    expect(refusalAnswer({ reason }).status).toBe(status);
    expect(refusalAnswer({ reason }).headers.map(([name]) => name)).toContain("Retry-After");
  });
});

test("no subprotocol, and none that anybody speaks, are refused before anything is looked up", async () => {
  const { reason } = scene({ answer: { kind: "away", what: "storage" } });
  expect([await reason({ subprotocols: "" }), await reason({ subprotocols: "ocpp0.1" })]).toEqual([
    "no-subprotocol",
    "no-common-subprotocol",
  ]);
});
