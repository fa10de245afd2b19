import { originOf } from "../commands/answer-order.ts";
import type { OutcomeEffect } from "../commands/outcome-effects.ts";
import { isObject, textOf } from "../transactions/read-fields.ts";
import { cancelOlderJobs, startJobs } from "./transfer-jobs.ts";
import { JOB_OF_ACTION } from "./transfer-status.ts";

/**
 * A firmware update, a publication or an upload that the station took on is a job from then on. 1.6 answers UpdateFirmware
 * without a status (§5.19) and GetDiagnostics with the file's name, or with nothing when it has nothing (§5.9).
 */
const takenOn: OutcomeEffect = async (sql, command) => {
  if (command.state !== "accepted") return;
  const response = isObject(command.response) ? command.response : {};
  const { receivedAt, epoch, seq } = originOf(command);
  const fileName = textOf(response["fileName"] ?? response["filename"]);
  const nothing = command.action === "GetDiagnostics" && (fileName === undefined || fileName === "");
  const { commandId } = command;
  await startJobs(sql, [
    {
      commandId,
      status: nothing ? "NothingToUpload" : "Accepted",
      epoch,
      seq,
      ...(nothing ? { endedAt: receivedAt } : {}),
      ...(fileName === undefined ? {} : { fileName }),
    },
  ]);
  if (response["status"] === "AcceptedCanceled") await cancelOlderJobs(sql, commandId, { epoch, seq }, receivedAt);
};

export const TRANSFER_OUTCOMES: readonly (readonly [string, OutcomeEffect])[] = [...JOB_OF_ACTION.keys()].map(
  (action) => [action, takenOn] as const,
);
