import type { AttemptOutcome, ConnectionAttempt } from "@dynamo-csms/proto/connection-attempt";
import { describe, expect, test } from "vitest";
import { type ConnectionEvidence, diagnose } from "./diagnose.ts";
import { detailOf, DIAGNOSIS_CODES, remedyFor } from "./remedies.ts";

const NOW = new Date("2026-05-01T10:31:00Z");
const ago = (seconds: number) => new Date(NOW.getTime() - seconds * 1_000);
const unit = {
  endpoint: "wss://ocpp.example.org/ocpp/1.6/cp_01hxab1c2d3e",
  identity: "cp_01hxab1c2d3e",
  version: "1.6",
  securityProfile: 1,
} as const;

const attempt = (
  outcome: AttemptOutcome,
  secondsAgo: number,
  more: Partial<ConnectionAttempt> = {},
): ConnectionAttempt => ({
  v: 1,
  atMs: ago(secondsAgo).getTime(),
  outcome,
  path: "/ocpp/1.6/cp_01hxab1c2d3e",
  subprotocols: "ocpp1.6",
  remoteAddress: "192.0.2.1",
  listener: 2,
  notes: [],
  nodeId: "gateway-0",
  ...more,
});

const connection = (openedAgo: number, closedAgo?: number) => ({
  openedAt: ago(openedAgo),
  closedAt: closedAgo === undefined ? null : ago(closedAgo),
  closeCode: closedAgo === undefined ? null : 1006,
  closeReason: null,
  notes: [],
});

const unseen: ConnectionEvidence = {
  now: NOW,
  unit,
  online: false,
  attempts: [],
  similar: [],
  last: undefined,
  registration: "unknown",
  bootedAt: undefined,
  refusedBoot: undefined,
};
const online: ConnectionEvidence = {
  ...unseen,
  online: true,
  attempts: [attempt("connected", 30)],
  last: connection(30),
  registration: "accepted",
  bootedAt: ago(29),
};
const codeOf = (evidence: ConnectionEvidence) => diagnose(evidence).code;

describe("a unit that is not connected", () => {
  test("was never heard of: from the plug to the last letter of the URL", () => {
    const { code, detail, remedy } = diagnose(unseen);
    expect([code, detail]).toEqual(["never_seen", "The charge point has never connected."]);
    for (const word of ["power", "DNS", "ocpp.example.org on TCP port 443", "clock", unit.endpoint, "restart"])
      expect(remedy).toContain(word);
  });

  test("is refused: the newest reason counts, and how often", () => {
    const evidence = {
      ...unseen,
      attempts: [attempt("bad_credentials", 5), attempt("bad_credentials", 15), attempt("no_credentials", 25)],
    };
    expect(diagnose(evidence)).toMatchObject({
      code: "bad_credentials",
      detail: `${detailOf("bad_credentials")} Last at ${ago(5).toISOString()}, 2 times.`,
      remedy: expect.stringContaining(unit.identity),
    });
    expect(diagnose({ ...unseen, attempts: [attempt("no_credentials", 5, { times: 7 })] }).detail).toContain(
      "7 times.",
    );
    expect(
      diagnose({ ...unseen, attempts: [attempt("wrong_version", 5, { subprotocols: "ocpp2.0.1" })] }).detail,
    ).toContain("It offers ocpp2.0.1.");
  });

  test("is refused: what the gateway saw is a sentence, and of several attempts that of the last", () => {
    const detail = "the user name is not the charge point id of the URL";
    const of = (times: number) =>
      diagnose({ ...unseen, attempts: [attempt("bad_credentials", 5, { detail, times })] }).detail;
    const begin = `${detailOf("bad_credentials")} Last at ${ago(5).toISOString()}`;
    expect(of(1)).toBe(`${begin}. The user name is not the charge point id of the URL.`);
    expect(of(3)).toBe(`${begin}, 3 times. The last time: the user name is not the charge point id of the URL.`);
  });

  test("is refused since it left: that, not that it left", () => {
    const left = { ...online, online: false, last: connection(900, 600) };
    expect(codeOf({ ...left, attempts: [attempt("bad_credentials", 5), attempt("connected", 900)] })).toBe(
      "bad_credentials",
    );
    expect(diagnose({ ...left, attempts: [attempt("connected", 900), attempt("bad_credentials", 950)] })).toMatchObject(
      {
        code: "disconnected",
        detail: expect.stringContaining("1006"),
      },
    );
  });

  test("calls itself something that nobody registered", () => {
    const similar = [
      {
        attempt: attempt("unknown_identity", 3, { path: "/ocpp/1.6/cp_01hxablc2d3e" }),
        similarity: "near_miss" as const,
      },
    ];
    expect(diagnose({ ...unseen, similar })).toMatchObject({
      code: "unknown_identity",
      detail: expect.stringContaining("/ocpp/1.6/cp_01hxablc2d3e"),
      remedy: expect.stringContaining(unit.endpoint),
    });
    // It has found the right id since.
    expect(codeOf({ ...unseen, similar, attempts: [attempt("bad_credentials", 1)] })).toBe("bad_credentials");
  });

  test("[1.5-frame-size] was let go because of the size of a message", () => {
    const evidence = { ...online, online: false, last: connection(60, 10) };
    expect(codeOf({ ...evidence, attempts: [attempt("frame_too_large", 10), attempt("connected", 60)] })).toBe(
      "frame_too_large",
    );
    expect(codeOf({ ...evidence, last: { ...connection(60, 10), closeReason: "Received too big message" } })).toBe(
      "frame_too_large",
    );
  });

  test("shares its id with another, or cannot hold its connection", () => {
    const evidence = { ...online, online: false, last: connection(20, 10) };
    const taken = [
      attempt("superseded", 10),
      attempt("connected", 20),
      attempt("superseded", 21),
      attempt("connected", 30),
    ];
    expect(codeOf({ ...evidence, attempts: taken })).toBe("superseded");
    const often = Array.from({ length: 6 }, (_, i) => attempt("connected", 10 + i));
    expect(codeOf({ ...evidence, attempts: often })).toBe("flapping");
    expect(codeOf({ ...evidence, attempts: often.slice(1) })).toBe("disconnected");
  });

  test("while Redis is away: what Postgres knows, and that it is not all", () => {
    expect(diagnose({ ...unseen, online: undefined }).detail).toContain("cannot be looked up");
    expect(codeOf({ ...online, online: undefined, attempts: [], last: connection(60, 10) })).toBe("disconnected");
  });
});

describe("a unit that is connected", () => {
  test("is fine, also when it repeats its id", () => {
    expect(diagnose(online)).toEqual({ code: "connected", detail: "The charge point is connected.", remedy: null });
    const repeated = { ...online, last: { ...connection(30), notes: ["repeated-identity"] } };
    expect(diagnose(repeated)).toMatchObject({
      code: "identity_duplicated_in_path",
      remedy: expect.stringContaining("wss://ocpp.example.org/ocpp/1.6."),
    });
  });

  test("does not boot: after a minute that is a finding", () => {
    const silent = { ...online, registration: "unknown" as const, bootedAt: undefined };
    expect(diagnose(silent)).toMatchObject({ code: "connected", detail: expect.stringContaining("waited for") });
    expect(codeOf({ ...silent, last: connection(61) })).toBe("connected_no_boot");
    // Acceptance belongs to the identity: a station that was accepted need not boot again.
    expect(codeOf({ ...silent, registration: "accepted", last: connection(61) })).toBe("connected");
  });

  test("is rejected, or boots against the schema", () => {
    expect(codeOf({ ...online, registration: "rejected" })).toBe("boot_rejected");
    const refusedBoot = {
      at: ago(5),
      code: "PropertyConstraintViolation",
      description: "/chargePointModel is too long",
    };
    expect(diagnose({ ...online, registration: "unknown", bootedAt: undefined, refusedBoot })).toMatchObject({
      code: "schema_invalid",
      detail: expect.stringContaining("/chargePointModel is too long"),
    });
    expect(codeOf({ ...online, bootedAt: ago(1), refusedBoot })).toBe("connected");
  });
});

test.each(DIAGNOSIS_CODES)("%s says what it is, and what to do on site with the unit's own values", (code) => {
  expect(detailOf(code)).toMatch(/^[A-Z].{15,}\.$/);
  for (const version of ["1.6", "2.0.1", "2.1"] as const)
    for (const securityProfile of [1, 2, 3] as const) {
      const remedy = remedyFor(code, { ...unit, version, securityProfile });
      if (code === "connected") expect(remedy).toBeNull();
      else expect(remedy).toMatch(/^[A-Z][^{}]{20,}\.$/);
      expect(remedy ?? "").not.toMatch(/undefined|\[object/);
    }
});
