import type { SecretsKey } from "@dynamo-csms/proto/sealed-secret";
import { validatePayload } from "@dynamo-csms/ocpp-schemas/validators";
import { isCsmsAction } from "@dynamo-csms/ocpp-schemas/actions";
import type pg from "pg";
import type { Logger } from "pino";
import { z } from "zod";
import type { PasswordPreparation } from "../credentials/prepare-password-command.ts";
import { inTransaction } from "../database.ts";
import { ProblemError } from "../http/problems.ts";
import type { JsonReply, Scope } from "../http/route.ts";
import { newId } from "../ids.ts";
import { pause } from "../jobs/pause.ts";
import { preparedSqlOn } from "../prepared-sql.ts";
import { type CommandAnswer, FINAL, findCommand } from "./command-answer.ts";
import type { QueuedDelivery } from "./deliver-queued.ts";
import type { CommandableStation } from "./find-commandable-station.ts";
import { queueCommand } from "./queue-command.ts";
import type { CommandRefusal, CommandSender, SentCommand } from "./send-command.ts";
import { mayWait, whyNotAnAction } from "./sendable-actions.ts";
import { countWaiting } from "./waiting-commands.ts";

const DAY_SECONDS = 86_400;
/** More than this waiting for one charge point is a mistake of whoever sends. */
const MAX_WAITING = 100;

/** Of every body that makes a command. */
export const deliveryFields = {
  timeout_seconds: z
    .int()
    .min(1)
    .max(60)
    .default(10)
    .describe("how long to wait for the outcome; then 202 with the command's address"),
  deliver: z
    .enum(["now", "when_connected"])
    .default("now")
    .describe(
      "when_connected: a charge point that is away gets it when it is back. Not for what starts a session or opens a connector: nobody may be there then",
    ),
  valid_for_seconds: z
    .int()
    .min(60)
    .max(7 * DAY_SECONDS)
    .optional()
    .describe(`with when_connected: how long it may wait; default ${DAY_SECONDS}`),
};

export interface WantedCommand {
  action: string;
  payload: unknown;
  /** Where in the body the action is named, and where the payload's mistakes are. */
  pointers: { command: string; payload: string };
  /** The key that asks: what it may not see is masked in the answer. */
  caller: { keyId: string; scopes: readonly Scope[] };
  delivery: { timeout_seconds: number; deliver: "now" | "when_connected"; valid_for_seconds?: number | undefined };
  signal: AbortSignal;
  /** Resolves when the request is in the audit log: nothing is changed before. */
  recorded(): Promise<void>;
}

export interface CommandDeskDeps {
  pool: pg.Pool;
  sender: Pick<CommandSender, "send">;
  queue: QueuedDelivery;
  secretsKey: SecretsKey;
  /** Makes a new password known to the gateways before the command that brings it to the station. */
  preparePassword: PasswordPreparation;
  log: Logger;
}

export interface CommandDesk {
  /** Sends the command, or lets it wait, and waits for its outcome a while: but not for a client that went away. */
  dispatch(station: CommandableStation, wanted: WantedCommand): Promise<JsonReply & { body: CommandAnswer }>;
}

/** What the REST API does with a command that somebody wants. Throws ProblemError for requests that make none. */
export function createCommandDesk({
  pool,
  sender,
  queue,
  secretsKey,
  preparePassword,
  log,
}: CommandDeskDeps): CommandDesk {
  const sql = preparedSqlOn(pool);

  async function sendNow(station: CommandableStation, wanted: WantedCommand, commandId: string): Promise<SentCommand> {
    const { action, payload, caller, recorded } = wanted;
    const sent = await sender.send({ station, action, payload, requestedBy: caller.keyId, commandId, recorded });
    if (!sent.ok) throw problemOf(sent.error, station, wanted);
    return sent.value;
  }

  /** Safe as soon as its row is there; what fails behind that is made up for by the jobs process. */
  async function letWait(station: CommandableStation, wanted: WantedCommand, commandId: string): Promise<SentCommand> {
    refuseLate(station, wanted);
    const { action, payload, caller } = wanted;
    const validForMs = (wanted.delivery.valid_for_seconds ?? DAY_SECONDS) * 1_000;
    const { id: stationId, orgId, version } = station;
    if ((await countWaiting(sql, stationId)) >= MAX_WAITING)
      throw new ProblemError("conflict", `${MAX_WAITING} commands wait for ${station.chargePointId} already.`, {
        remedy: "Cancel some with DELETE /api/v1/commands/{command_id}, or wait until they are sent.",
      });
    const wantedCommand = { stationId, orgId, version, action, payload: payload as object, requestedBy: caller.keyId };
    await wanted.recorded();
    await inTransaction(pool, (tx) => queueCommand(tx, { ...wantedCommand, commandId, validForMs }, secretsKey));
    const queued = { commandId, settled: Promise.resolve() };
    try {
      const sent = await queue.deliverNext(stationId);
      return sent?.commandId === commandId ? (sent as SentCommand) : queued;
    } catch (cause) {
      log.warn({ commandId, error: cause }, "command is left to the jobs process");
      return queued;
    }
  }

  /** @returns what takes it back, for a command that is not written after all. */
  async function prepare(station: CommandableStation, wanted: WantedCommand, commandId: string) {
    const { action, payload, caller, pointers, recorded } = wanted;
    const requestedBy = caller.keyId;
    const prepared = await preparePassword({ commandId, station, action, payload, requestedBy, recorded });
    if (prepared.ok) return prepared.value;
    switch (prepared.error.kind) {
      case "under-way":
        throw new ProblemError("conflict", `A new password is on its way to ${station.chargePointId} already.`);
      case "too-short":
        throw invalid(pointers.payload, `a password has at least ${prepared.error.minLength} characters`, "too_short");
      case "twice":
        throw invalid(pointers.payload, "sets the password twice");
      case "registry-away":
        throw new ProblemError("unavailable", "The gateways cannot be told of the new password.", {
          retryAfterSeconds: 5,
        });
    }
  }

  return {
    async dispatch(station, wanted) {
      const { deliver, valid_for_seconds, timeout_seconds } = wanted.delivery;
      if (deliver === "now" && valid_for_seconds !== undefined)
        throw invalid(
          "/valid_for_seconds",
          "needs `deliver: when_connected`: a command that is sent now does not wait",
        );
      const commandId = newId("cmd");
      const takeBack = await prepare(station, wanted, commandId);
      const { settled } = await (deliver === "now" ? sendNow : letWait)(station, wanted, commandId).catch(
        async (cause: unknown) => {
          await takeBack?.();
          throw cause;
        },
      );
      const waiting = new AbortController();
      const enough = AbortSignal.any([wanted.signal, waiting.signal]);
      await Promise.race([settled, pause(timeout_seconds * 1_000, enough)]);
      waiting.abort();
      const body = await findCommand(sql, { orgId: station.orgId, scopes: wanted.caller.scopes }, commandId);
      if (body === undefined) throw new Error(`the row of command ${commandId} is gone`);
      const headers = { location: `/api/v1/commands/${body.command_id}` };
      return { status: FINAL.has(body.status) ? 200 : 202, body, headers };
    },
  };
}

/** What `send` would refuse, and what may not come late. */
function refuseLate(station: CommandableStation, wanted: WantedCommand): void {
  const { action, payload } = wanted;
  const { version } = station;
  if (!isCsmsAction(version, action)) throw problemOf({ kind: "unknown-action" }, station, wanted);
  const mistake = validatePayload(version, action, "request", payload);
  if (mistake !== undefined) throw problemOf({ kind: "invalid-payload", ...mistake }, station, wanted);
  if (!mayWait(action))
    throw invalid(
      "/deliver",
      `${action} is sent now or never: when the charge point is back, nobody may be standing there any more`,
      "not_allowed",
    );
}

function problemOf(refusal: CommandRefusal, station: CommandableStation, wanted: WantedCommand): ProblemError {
  switch (refusal.kind) {
    case "unknown-action":
      return invalid(wanted.pointers.command, whyNotAnAction(station.version, wanted.action), "unknown_action");
    case "invalid-payload":
      return invalid(`${wanted.pointers.payload}${refusal.pointer}`, refusal.description, "invalid_payload");
    case "busy":
      return new ProblemError("unavailable", "Too many commands are under way.", { retryAfterSeconds: 5 });
  }
}

const invalid = (pointer: string, detail: string, code = "invalid"): ProblemError =>
  new ProblemError("validation_failed", detail, { errors: [{ pointer, code, detail }] });
