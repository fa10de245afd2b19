import type { RequestPayload } from "@dynamo-csms/ocpp-schemas/payloads";
import type { Registration } from "@dynamo-csms/proto/station-record";
import { inTransaction } from "../database.ts";
import { askBaseReports } from "../device-model/ask-base-report.ts";
import { storableJson } from "../message-log/storable-text.ts";
import { bootFacts16, bootFacts2 } from "../stations/boot-facts.ts";
import { recordBoots } from "../stations/record-boot.ts";
import { requestRegistryWrite, writeRegistryNow } from "../stations/station-registry.ts";
import type { DecisionStep, Question } from "./decision.ts";

const STATUS = {
  accepted: "Accepted",
  pending: "Pending",
  rejected: "Rejected",
  unknown: "Pending",
} as const satisfies Record<Registration, string>;

/**
 * BootNotification (C16 §4.2; P2 B01 to B03): whoever is registered and can log in is accepted, unless it was rejected or
 * retired. The registration is in Redis before the answer is out: the station may reconnect to any gateway right after.
 */
export const decideBoot: DecisionStep = async (question, deps) => {
  const { station } = question;
  const { registration, changed } = await inTransaction(deps.pool, async (sql) => {
    const [row] = await sql.query<{ registration: Registration; retired: boolean }>(
      `select registration, retired_at is not null as retired from stations where id = $1 for no key update`,
      [station.id],
    );
    const before = row?.registration ?? "unknown";
    const after: Registration = row?.retired === true || before === "rejected" ? "rejected" : "accepted";
    const boot = bootOf(question);
    await recordBoots(sql, [boot]);
    if (after !== before) {
      await sql.query(`update stations set registration = $2 where id = $1`, [station.id, after]);
      await requestRegistryWrite(sql, station.id);
    }
    if (after === "accepted") await askBaseReports(sql, [{ ...boot, orgId: station.orgId, version: question.version }]);
    return { registration: after, changed: after !== before };
  });
  // Redis away: the outbox has it, and the gateway that asked goes by our answer.
  if (changed) await writeRegistryNow(deps, station.id);
  return {
    kind: "answer",
    registration,
    payload: {
      status: STATUS[registration],
      currentTime: new Date().toISOString(),
      interval: registration === "accepted" ? deps.heartbeatIntervalSeconds : retryAfterSeconds(),
    },
  };
};

/** Each another time, so that a fleet that was turned away does not come back as one; never 0, which leaves it to the station. */
const retryAfterSeconds = () => 60 + Math.floor(Math.random() * 61);

function bootOf({ station, version, epoch, seq, receivedAt, payloadText }: Question) {
  // Behind the gateway's schema check.
  const payload: unknown = JSON.parse(payloadText);
  const facts =
    version === "1.6"
      ? bootFacts16(payload as RequestPayload<"1.6", "BootNotification">)
      : bootFacts2(payload as RequestPayload<"2.0.1" | "2.1", "BootNotification">);
  return { stationId: station.id, epoch, seq, bootedAt: receivedAt, payload: storableJson(payloadText), ...facts };
}
