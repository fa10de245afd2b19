import type { StationRecord } from "@dynamo-csms/proto/station-record";
import { expect, test } from "vitest";
import { answerAlone } from "./answer-alone.ts";

const NOW = Date.parse("2026-05-01T10:00:00Z");
const record = { orgId: "org_1", registration: "accepted", heartbeatIntervalSeconds: 300 } as StationRecord;

/** What is answered to an Authorize with a token of which the cache holds `cached`. */
async function authorize(cached: object | string | null, payload: object) {
  const text = typeof cached === "object" && cached !== null ? JSON.stringify(cached) : cached;
  const answer = await answerAlone(
    { action: "Authorize", payload, record },
    {
      redis: { hget: (_key, field) => Promise.resolve(field === "card-1" ? text : null) },
      authorizeOffline: "deny",
      nowMs: () => NOW,
      random: () => 0,
    },
  );
  return answer.kind === "answer" ? (JSON.parse(answer.payload) as object) : answer;
}

const of16 = { idTag: "CARD-1" };
const of2x = { idToken: { idToken: "CARD-1", type: "ISO14443" } };
const whole = {
  revision: 5,
  status: "Accepted",
  expiryDate: "2026-06-01T00:00:00.000Z",
  parentIdTag: "fleet-7",
  validUntilMs: NOW + 1,
};

test("a cached token is answered with its expiry and its group, in the words of each version", async () => {
  expect(await authorize(whole, of16)).toEqual({
    idTagInfo: { status: "Accepted", expiryDate: whole.expiryDate, parentIdTag: "fleet-7" },
  });
  expect(await authorize(whole, of2x)).toEqual({
    idTokenInfo: {
      status: "Accepted",
      cacheExpiryDateTime: whole.expiryDate,
      groupIdToken: { idToken: "fleet-7", type: "Central" },
    },
  });
  expect(await authorize({ status: "Blocked", parentIdTag: "longer than twenty characters" }, of16)).toEqual({
    idTagInfo: { status: "Blocked" },
  });
});

test.each([
  ["a token past its expiry is Expired", { ...whole, expiryDate: "2026-04-30T00:00:00Z" }, "Expired"],
  ["an entry past its own time is a miss", { ...whole, validUntilMs: NOW }, "Invalid"],
  ["a token that was changed since is a miss", { revision: 6 }, "Invalid"],
  ["an unknown token is a miss", null, "Invalid"],
  ["what is no JSON is a miss", "{", "Invalid"],
])("%s", async (_title, cached, status) => {
  expect(await authorize(cached, of16)).toMatchObject({ idTagInfo: { status } });
});
