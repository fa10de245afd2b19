import type { ResponsePayload } from "@dynamo-csms/ocpp-schemas/payloads";
import { validatePayload } from "@dynamo-csms/ocpp-schemas/validators";
import { sqlOn } from "../database.ts";
import { answered, type DecisionDeps, type DecisionStep, type Question } from "../decisions/decision.ts";
import { isObject } from "../transactions/read-fields.ts";
import { type DataTransfer, recordDataTransfers } from "./record-data-transfers.ts";

type Answer = ResponsePayload<"1.6" | "2.0.1" | "2.1", "DataTransfer">;

/**
 * DataTransfer, all versions (C16 §4.3; P2 P02): answered by the hook of its vendor. Nobody knows the vendor:
 * UnknownVendorId; its hook does not know the message: UnknownMessageId; the hook hangs, throws or answers nonsense:
 * Rejected. Stored with its answer; the same question gets the answer on record.
 */
export const decideDataTransfer: DecisionStep = async (question, deps) => {
  const sql = sqlOn(deps.pool);
  const { station, epoch, seq, receivedAt } = question;
  const [known] = await sql.query<{ status: Answer["status"]; response_data: unknown }>(
    "select status, response_data from data_transfers where station_id = $1 and epoch = $2 and seq = $3 and received_at = $4",
    [station.id, epoch, seq, receivedAt.toISOString()],
  );
  if (known !== undefined)
    return answered({
      status: known.status,
      ...(known.response_data === null ? {} : { data: known.response_data }),
    });
  const request = JSON.parse(question.payloadText) as DataTransfer["request"];
  const answer = await answerOf(question, request, deps);
  await recordDataTransfers(sql, [
    { stationId: station.id, epoch, seq, receivedAt, direction: "from_charge_point", request, answer },
  ]);
  return answered(answer);
};

async function answerOf(question: Question, request: DataTransfer["request"], deps: DecisionDeps): Promise<Answer> {
  const { vendorId, messageId, data } = request;
  const hook = deps.dataTransferHooks?.find(vendorId);
  if (hook === undefined) return { status: "UnknownVendorId" };
  if (!hook.knows(messageId)) return { status: "UnknownMessageId" };
  const { station, version, epoch, seq, receivedAt } = question;
  const given = await hook.ask({
    transferId: `${station.chargePointId}/${epoch}/${seq}`,
    chargePointId: station.chargePointId,
    organizationId: station.orgId,
    ocppVersion: version,
    vendorId,
    ...(messageId === undefined ? {} : { messageId }),
    ...(data === undefined ? {} : { data }),
    receivedAt: receivedAt.toISOString(),
  });
  const reason = given.ok ? whyNoAnswer(question, given.value) : given.error;
  if (given.ok && reason === undefined) return given.value as Answer;
  deps.log?.warn(
    { station: station.chargePointId, vendorId: vendorId.slice(0, 255), reason },
    "DataTransfer hook failed",
  );
  return { status: "Rejected" };
}

function whyNoAnswer({ version, action }: Question, answer: unknown): string | undefined {
  if (!isObject(answer)) return "its answer is not an object";
  return validatePayload(version, action, "response", answer)?.description;
}
