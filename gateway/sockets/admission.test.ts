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
  lookup = { kind: "unknown" },
  failures = 3,
  guesses = 1_000,
}: {
  record?: Partial<StationRecord>;
  /** To all. */
  answer?: DirectoryAnswer;
  /** To whoever may look up what is not on record. */
  lookup?: DirectoryAnswer;
  failures?: number;
  guesses?: number;
} = {}) {
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
  const findUnrecorded = (mayLookUp: boolean): DirectoryAnswer => (mayLookUp ? lookup : { kind: "limited" });
  const failedAttempts: string[] = [];
  let guessesLeft = guesses;
  const attempt = (claim: Partial<UpgradeClaim> & { password?: string; user?: string } = {}) => {
    const { password = "right", user = "CS001", ...rest } = claim;
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
    return admit(
      {
        path: "/ocpp/1.6/CS001",
        subprotocols: "ocpp1.6",
        authorization,
        remoteAddress: "192.0.2.1",
        listener: 1,
        ...rest,
      },
      {
        ocppPaths: ["/ocpp"],
        peppers: new Map([["p1", PEPPER]]),
        directory: {
          find: async (identity, mayLookUp) =>
            answer ?? (identity === "cs001" ? { kind: "found", record: known } : findUnrecorded(mayLookUp)),
          findUnrecorded: async (_, mayLookUp) => findUnrecorded(mayLookUp),
        },
        guesses: { take: () => guessesLeft > 0 && guessesLeft-- > 0, giveBack: () => void (guessesLeft += 1) },
        failedLogins: {
          exhausted: (key) => failedAttempts.filter((failed) => failed === key).length >= failures,
          take: (key) => failedAttempts.push(key) > 0,
        },
        now: () => new Date("2026-06-01T00:00:00Z"),
      },
    );
  };
  const reason = async (claim?: Parameters<typeof attempt>[0]) => {
    const admitted = await attempt(claim);
    return admitted.ok ? "admitted" : admitted.error.reason;
  };
  /** What the station's operator is told of it. */
  const told = async (claim?: Parameters<typeof attempt>[0]) => {
    const admitted = await attempt(claim);
    return admitted.ok ? "admitted" : admitted.error.attempt;
  };
  return { attempt, reason, told };
}

describe("a station with the right password", () => {
  test("[H2] is admitted with the version that it prefers and is registered for", async () => {
    const admitted = await scene().attempt({ subprotocols: "ocpp2.1, ocpp2.0.1, ocpp1.6" });
    expect(admitted).toMatchObject({
      ok: true,
      value: { identity: "cs001", subprotocol: { version: "2.0.1", token: "ocpp2.0.1" } },
    });
  });

  test("[H1] is told by a note when the path names another version", async () => {
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

  test("[H2] learns that it offers no version that it is registered for", async () => {
    const detail = "this charge point is registered for OCPP 1.6, 2.0.1";
    expect(await scene().attempt({ subprotocols: "ocpp2.1" })).toEqual({
      ok: false,
      error: {
        reason: "no-common-subprotocol",
        detail,
        attempt: { identity: "cs001", outcome: "wrong_version", detail },
      },
    });
  });

  test("[H10] learns that it was retired", async () => {
    expect(await scene({ record: { retired: true } }).reason()).toBe("retired");
  });

  test("[1.8-no-downgrade] needs TLS with security profile 2", async () => {
    const { reason } = scene({ record: { securityProfile: 2 } });
    expect([await reason(), await reason({ listener: 2 })]).toEqual(["tls-required", "admitted"]);
  });

  test("[1.8-no-downgrade] cannot use a password with security profile 3", async () => {
    expect(await scene({ record: { securityProfile: 3 } }).reason({ listener: 2 })).toBe("client-certificate-required");
  });
});

describe("a stranger", () => {
  test("[H12] is told the same whether the station, the password, the user name or all is wrong", async () => {
    const { attempt } = scene();
    const refused = [
      await attempt({ path: "/ocpp/1.6/CS999", user: "CS999" }),
      await attempt({ password: "wrong" }),
      await attempt({ user: "CS002" }),
      await attempt({ authorization: "" }),
    ];
    const answers = refused.map((admitted) => (admitted.ok ? undefined : refusalAnswer(admitted.error, () => 0.5)));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]?.status).toBe("401 Unauthorized");
    expect(answers[0]?.headers).toContainEqual(["WWW-Authenticate", 'Basic realm="OCPP", charset="UTF-8"']);
  });

  test("[H12] does not learn that a station was retired", async () => {
    expect(await scene({ record: { retired: true } }).reason({ password: "wrong" })).toBe("bad-credentials");
  });

  test("[D1] is stopped after some failures, and only there: the station itself still gets in", async () => {
    const { reason } = scene();
    for (let i = 0; i < 3; i++) expect(await reason({ password: "wrong" })).toBe("bad-credentials");
    expect(await reason({ password: "wrong" })).toBe("too-many-attempts");
    expect(await reason({ remoteAddress: "192.0.2.2" })).toBe("admitted");
  });

  test("[H12] [D1] cannot tell stations that exist by whose turn it is to be stopped", async () => {
    const guess = async (order: readonly string[]) => {
      const { attempt } = scene({ guesses: 3, failures: 100 });
      const answers: string[] = [];
      for (const user of order) {
        const refused = await attempt({ path: `/ocpp/${user}`, user, password: "wrong" });
        answers.push(refused.ok ? "admitted" : refused.error.reason);
      }
      return answers;
    };
    const stopped = [...Array<string>(3).fill("bad-credentials"), "too-many-attempts", "too-many-attempts"];
    expect(await guess(["CS001", "CS001", "CS001", "CS001", "CS001"])).toEqual(stopped);
    expect(await guess(["CS901", "CS902", "CS903", "CS904", "CS905"])).toEqual(stopped);
    expect(await guess(["CS001", "CS902", "CS001", "CS001", "CS905"])).toEqual(stopped);
    // Who has the password is no guesser, and uses nothing up.
    const { reason } = scene({ guesses: 1 });
    expect([await reason(), await reason(), await reason({ password: "wrong" }), await reason()]).toEqual([
      "admitted",
      "admitted",
      "bad-credentials",
      "admitted",
    ]);
  });

  test.each([
    [{ kind: "away", what: "control-plane" }, "control-plane-away"],
    [{ kind: "away", what: "storage" }, "storage-away"],
    [{ kind: "limited" }, "too-many-attempts"],
  ] as const)(
    "[H12] cannot tell stations that exist while a lookup is answered %j: whoever fails gets the same, as often as it tries",
    async (lookup, reason) => {
      const guess = async (user: string, listener: 1 | 3) => {
        const { attempt } = scene({ lookup, failures: 4, record: { securityProfile: listener } });
        const answers: unknown[] = [];
        for (let n = 0; n < 6; n++) {
          const refused = await attempt({ path: `/ocpp/${user}`, user, password: "wrong", listener });
          answers.push(refused.ok ? "admitted" : [refused.error.reason, refusalAnswer(refused.error, () => 0.5)]);
        }
        return answers;
      };
      for (const listener of [1, 3] as const) {
        const known = await guess("CS001", listener);
        expect(known[0]).toEqual([reason, refusalAnswer({ reason }, () => 0.5)]);
        expect(known).toEqual(await guess("CS901", listener));
      }
      // The right password lets in all the same, and the operator is told what was wrong.
      const { reason: reasonOf, told } = scene({ lookup });
      expect(await reasonOf()).toBe("admitted");
      const outcome = reason === "storage-away" ? "service_unavailable" : "bad_credentials";
      expect(await told({ password: "wrong" })).toMatchObject({ outcome });
    },
  );

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
    expect(refusalAnswer({ reason }, () => 0.5).status).toBe(status);
    expect(refusalAnswer({ reason }, () => 0.5).headers.map(([name]) => name)).toContain("Retry-After");
  });
});

describe("what the operator is told", () => {
  test.each([
    [{}, { path: "/ocpp/a%2Fb" }, "malformed_identity"],
    [{}, { path: "/elsewhere" }, "malformed_identity"],
    [{}, { path: "/ocpp/CS999", user: "CS999" }, "unknown_identity"],
    [{}, { authorization: "" }, "no_credentials"],
    [{}, { authorization: "Bearer x" }, "bad_credentials"],
    [{}, { user: "CS002" }, "bad_credentials"],
    [{}, { password: "wrong" }, "bad_credentials"],
    [{}, { subprotocols: "" }, "no_subprotocol"],
    [{}, { subprotocols: "ocpp0.1" }, "subprotocol_mismatch"],
    [{}, { subprotocols: "ocpp2.1" }, "wrong_version"],
    [{ retired: true }, {}, "retired"],
    [{ securityProfile: 2 }, {}, "plain_ws"],
    [{ securityProfile: 2 }, { authorization: "" }, "plain_ws"],
    [{ securityProfile: 3 }, { listener: 2 }, "wrong_security_profile"],
    [{}, { listener: 3 }, "no_client_certificate"],
  ] as const)("of a station %j, an attempt %j is %s", async (record, claim, outcome) => {
    expect(await scene({ record }).told(claim)).toMatchObject({ outcome });
  });
});

test("[H12] a stranger learns nothing from its subprotocols: they are judged behind the credentials", async () => {
  const { reason } = scene();
  for (const subprotocols of ["", "ocpp0.1", "ocpp2.1"])
    expect(await reason({ subprotocols, password: "wrong" })).toBe("bad-credentials");
});

describe("a quirk profile", () => {
  const missing = (mode: "accept" | "report_only") => ({ missing_subprotocol: { mode, assume: "1.6" as const } });

  test("[H4] takes a station that offers no version for the assumed one, and echoes none", async () => {
    expect(await scene({ record: { quirks: missing("accept") } }).attempt({ subprotocols: "" })).toMatchObject({
      ok: true,
      value: {
        subprotocol: { version: "1.6", token: "" },
        quirks: [{ quirk: "missing_subprotocol", mode: "accept" }],
      },
    });
  });

  test("[H4] is not asked where a version was offered, nor for one that the station is not registered for", async () => {
    const { reason } = scene({ record: { quirks: missing("accept") } });
    expect(await reason({ subprotocols: "ocpp0.1" })).toBe("no-common-subprotocol");
    const other = scene({ record: { quirks: missing("accept"), ocppVersions: ["2.1"] } });
    expect(await other.reason({ subprotocols: "" })).toBe("no-subprotocol");
  });

  test("[H4] that only reports refuses as before, and says so", async () => {
    expect(await scene({ record: { quirks: missing("report_only") } }).told({ subprotocols: "" })).toMatchObject({
      outcome: "no_subprotocol",
      notes: ["report_only:missing_subprotocol"],
    });
  });

  test("[1.2-encoding] accepts a key in the other encoding; one that only reports does not", async () => {
    const key = "00112233445566778899aabbccddeeff";
    const verifiers = [
      {
        digest: digestPassword(Buffer.from(key, "hex"), PEPPER).toString("base64"),
        pepperId: "p1",
        encoding: "hexDecoded" as const,
      },
    ];
    const withQuirk = (mode?: "accept" | "report_only") =>
      scene({ record: { verifiers, ...(mode && { quirks: { credential_encoding: { mode } } }) } });
    expect(await withQuirk("accept").attempt({ password: key })).toMatchObject({
      ok: true,
      value: {
        verifier: verifiers[0]?.digest.slice(0, 16),
        quirks: [{ quirk: "credential_encoding", mode: "accept" }],
      },
    });
    expect(await withQuirk("report_only").told({ password: key })).toMatchObject({
      outcome: "bad_credentials",
      notes: ["report_only:credential_encoding"],
    });
    const without = await withQuirk().told({ password: key });
    expect(without).toMatchObject({ outcome: "bad_credentials", detail: expect.stringContaining("another encoding") });
    expect(without).not.toHaveProperty("notes");
    // A wrong user name is not forgiven by it.
    expect(await withQuirk("accept").reason({ password: key, user: "CS002" })).toBe("bad-credentials");
  });
});
