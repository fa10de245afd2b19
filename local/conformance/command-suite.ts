import { isDeepStrictEqual } from "node:util";
import { actionsOf, isCsmsAction } from "@dynamo-csms/ocpp-schemas/actions";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { rest, type RestAnswer } from "../e2e/rest-client.ts";
import type { Outcomes } from "./golden.ts";
import { hasMessage, statusesOf, validCases, violationCases, type Payload } from "./sample-cases.ts";
import { WireStation, type ExpectedCommand, type SeenCommand, type StationCredentials } from "./wire-station.ts";

export interface CommandSuiteDeps {
  /** ws:// origin of a gateway node. */
  origin: string;
  apiUrl: string;
  /** Of the organisation that the station belongs to, with the right to send commands. */
  apiKey: string;
  station: StationCredentials;
}

/** A secret that we sent is masked in the reply wherever the station repeats it; and every text of a fullest payload is alike. */
const SENDS_SECRETS = new Set(["SetNetworkProfile"]);

const NAME: Record<OcppVersion, string> = { "1.6": "ocpp16", "2.0.1": "ocpp201", "2.1": "ocpp21" };

/**
 * Every action that the CSMS may send, by POST /api/v1/ocppXX/send_command: payloads against the schema, which nothing is sent of;
 * smallest and fullest payload, which arrive as they are; every status that the station can answer with, an answer that breaks
 * its schema, and an error of the station.
 * @returns the command's final state per case, with the error's code; and what is wrong apart from it
 */
export async function playCommands(
  version: OcppVersion,
  deps: CommandSuiteDeps,
): Promise<{ outcomes: Outcomes; complaints: string[] }> {
  const station = await WireStation.connect(deps.origin, deps.station, version);
  const complaints: string[] = [];
  const outcomes: Outcomes = {};

  async function post(action: string, payload: Payload): Promise<RestAnswer> {
    const url = `${deps.apiUrl}/api/v1/${NAME[version]}/send_command`;
    for (;;) {
      const body = { charge_point_id: deps.station.identity, command: action, payload, timeout_seconds: 30 };
      const answer = await rest("POST", url, deps.apiKey, body);
      if (answer.status !== 429) return answer;
      const seconds = Number(answer.headers.get("retry-after") ?? "1");
      await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    }
  }

  /** Sends a command, has the station answer it, and reads its state. */
  async function send(
    name: string,
    command: ExpectedCommand,
  ): Promise<{ state: string; seen: SeenCommand | undefined }> {
    let seen: SeenCommand | undefined;
    void station.expectCommand(command).then((came) => (seen = came));
    const { status, body } = await post(command.action, command.payload);
    const complain = (what: string) => complaints.push(`${version} ${command.action}, ${name}: ${what}`);
    if (status !== 200) return { state: `${status} ${String(body["code"])}`, seen };
    if (seen?.messageId !== body["command_id"]) complain("the station got another CALL than was ordered, or none");
    const answered = "result" in command.answer ? command.answer.result : null;
    if (!SENDS_SECRETS.has(command.action) && !isDeepStrictEqual(body["response"], answered))
      complain(`the response in the reply is another: ${JSON.stringify(body["response"]).slice(0, 200)}`);
    if (!Number.isInteger(body["response_time_ms"])) complain("no response_time_ms");
    const error = body["error"] as { code: string } | undefined;
    const state = String(body["status"]);
    return { state: error === undefined ? state : `${state} ${error.code}`, seen };
  }

  /** Whatever was refused must never have been sent: by now it would have come, since CALLs come one after the other. */
  function expectNothingRefusedCame(action: string): void {
    const refused = violationCases(version, action, "request");
    for (const { payload } of station.unasked.filter((call) => call.action === action)) {
      const sent = refused.find((one) => isDeepStrictEqual(one.payload, payload));
      if (sent !== undefined) complaints.push(`${version} ${action}, ${sent.name}: was refused, and sent all the same`);
    }
  }

  async function playInvalid(action: string, results: Record<string, string>): Promise<void> {
    for (const { name, payload, mistake } of violationCases(version, action, "request")) {
      const { status, body } = await post(action, payload);
      const [error] = (body["errors"] ?? []) as { pointer: string; code: string }[];
      results[`payload: ${name}`] = `${status} ${String(body["code"])} ${error?.code}`;
      if (error?.pointer !== `/payload${mistake?.pointer}`)
        complaints.push(`${version} ${action}, ${name}: pointed at ${error?.pointer}`);
    }
  }

  async function playAction(action: string): Promise<Record<string, string>> {
    const results: Record<string, string> = {};
    await playInvalid(action, results);
    const [smallest, fullest] = validCases(version, action, "request").map(({ payload }) => payload) as [
      Payload,
      Payload,
    ];
    if (!hasMessage(version, action, "response")) throw new Error(`${action} has no response`);
    const [least, most] = validCases(version, action, "response").map(({ payload }) => payload) as [Payload, Payload];
    const answers: [string, Payload, Payload][] = [
      ["minimal, answered minimally", smallest, least],
      ["maximal, answered maximally", fullest, most],
      ...statusesOf(version, action).map((status): [string, Payload, Payload] => [
        `answered ${status}`,
        smallest,
        { ...least, status },
      ]),
    ];
    for (const [name, payload, result] of answers)
      results[name] = (await send(name, { action, payload, answer: { result } })).state;

    const [broken] = violationCases(version, action, "response");
    if (broken === undefined) throw new Error(`no payload breaks the response of ${action}`);
    const name = `answer: ${broken.name}`;
    const { state, seen } = await send(name, { action, payload: smallest, answer: { result: broken.payload } });
    results[name] =
      version === "2.1" && seen !== undefined ? `${state}, CALLRESULTERROR ${await seen.resultError()}` : state;

    const refused = { code: "NotSupported", description: "no" };
    results["answered with a CALLERROR"] = (
      await send("CALLERROR", { action, payload: smallest, answer: refused })
    ).state;
    return results;
  }

  try {
    for (const action of actionsOf(version).filter((one) => isCsmsAction(version, one))) {
      outcomes[action] = await playAction(action);
      expectNothingRefusedCame(action);
    }
    const { status, body } = await post("Heartbeat", {});
    const [error] = (body["errors"] ?? []) as { code: string }[];
    outcomes["Heartbeat"] = { "not ours to send": `${status} ${String(body["code"])} ${error?.code}` };
  } finally {
    station.close();
  }
  return { outcomes, complaints: [...complaints, ...station.complaints.map((text) => `${version}: ${text}`)] };
}
