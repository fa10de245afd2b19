import { once } from "node:events";
import { isDeepStrictEqual } from "node:util";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import WebSocket from "ws";
import { hasMessage, validCases, type Payload } from "./sample-cases.ts";
import { complaintsAboutFrame } from "./second-opinion.ts";

export interface StationCredentials {
  identity: string;
  password: string;
}

/** What the CSMS said to a CALL: its payload, or its error. */
export type CallAnswer = { payload: Payload } | { code: string; description: string };

/** A CALL of the CSMS that a case waits for, and what the station says to it: a payload for a CALLRESULT, or a CALLERROR. */
export interface ExpectedCommand {
  action: string;
  payload: Payload;
  answer: { result: Payload } | { code: string; description: string };
}

/** What a command came to on the wire. */
export interface SeenCommand {
  messageId: string;
  /** Waits for the CALLRESULTERROR to the station's answer (2.1), and resolves to its code. */
  resultError(): Promise<string>;
}

/** A silence of the CSMS ends the case, not the suite. */
const ANSWER_DEADLINE_MS = 40_000;

/**
 * The station of the conformance suite: sends one CALL after the other, answers the CALLs of a case as the case says, and
 * all others as a plain station would (a CSMS asks for reports after a boot). Every frame that it gets is put before an
 * independent validator; what that has against it is in `complaints`.
 */
export class WireStation {
  readonly version: OcppVersion;
  readonly identity: string;
  readonly complaints: string[] = [];
  /** CALLs of the CSMS that no case waited for. */
  readonly unasked: { action: string; payload: Payload }[] = [];
  readonly #socket: WebSocket;
  readonly #open = new Map<string, { action: string; settle(answer: CallAnswer): void }>();
  readonly #resultErrors = new Map<string, (code: string) => void>();
  #expected: { command: ExpectedCommand; seen(command: SeenCommand): void } | undefined;

  private constructor(version: OcppVersion, identity: string, socket: WebSocket) {
    this.version = version;
    this.identity = identity;
    this.#socket = socket;
    socket.on("message", (data: Buffer) => this.#receive(data.toString("utf8")));
  }

  /** @param origin of a gateway node, as `ws://host:port` */
  static async connect(
    origin: string,
    { identity, password }: StationCredentials,
    version: OcppVersion,
  ): Promise<WireStation> {
    const socket = new WebSocket(`${origin}/ocpp/${version}/${identity}`, [`ocpp${version}`], {
      auth: `${identity}:${password}`,
      maxPayload: 16 * 1024 * 1024,
    });
    const station = new WireStation(version, identity, socket);
    await once(socket, "open");
    socket.on("error", () => {});
    return station;
  }

  /** Sends a CALL and resolves to its answer. Rejects when the connection ends, or nothing comes. */
  async call(messageId: string, action: string, payload: Payload): Promise<CallAnswer> {
    const answered = new Promise<CallAnswer>((settle) => this.#open.set(messageId, { action, settle }));
    this.#socket.send(JSON.stringify([2, messageId, action, payload]));
    return this.#before(answered, `answer to ${action}`);
  }

  /** Sends a SEND (2.1 Part 4 §4.2.4), and a Heartbeat behind it: answers come in order, so that by then silence is silence. */
  async send(messageId: string, action: string, payload: Payload): Promise<"silence" | CallAnswer> {
    let said: CallAnswer | undefined;
    this.#open.set(messageId, { action, settle: (answer) => (said = answer) });
    this.#socket.send(JSON.stringify([6, messageId, action, payload]));
    await this.call(`${messageId}-beat`, "Heartbeat", {});
    this.#open.delete(messageId);
    return said ?? "silence";
  }

  /** Answers the next CALL of this action with exactly this payload as the case says. Resolves when it came. */
  expectCommand(command: ExpectedCommand): Promise<SeenCommand> {
    return new Promise((seen) => (this.#expected = { command, seen }));
  }

  close(): void {
    this.#socket.terminate();
  }

  #receive(text: string): void {
    const [type, messageId, third, fourth] = JSON.parse(text) as [number, string, unknown, unknown];
    const open = type === 3 || type === 4 ? this.#open.get(messageId) : undefined;
    for (const complaint of complaintsAboutFrame(this.version, text, open?.action))
      this.complaints.push(`${complaint}: ${text.slice(0, 200)}`);
    if (type === 2) return this.#command(messageId, String(third), fourth as Payload);
    if (type === 5) return this.#resultErrors.get(messageId)?.(String(third));
    this.#open.delete(messageId);
    open?.settle(type === 3 ? { payload: third as Payload } : { code: String(third), description: String(fourth) });
  }

  #command(messageId: string, action: string, payload: Payload): void {
    const expected = this.#expected;
    if (expected?.command.action === action && isDeepStrictEqual(expected.command.payload, payload)) {
      this.#expected = undefined;
      const { answer } = expected.command;
      const told = new Promise<string>((resolve) => this.#resultErrors.set(messageId, resolve));
      expected.seen({ messageId, resultError: () => this.#before(told, `CALLRESULTERROR to ${action}`) });
      this.#answer(
        "result" in answer ? [3, messageId, answer.result] : [4, messageId, answer.code, answer.description, {}],
      );
      return;
    }
    this.unasked.push({ action, payload });
    const known = hasMessage(this.version, action, "response");
    const [minimal] = known ? validCases(this.version, action, "response") : [];
    this.#answer(minimal === undefined ? [4, messageId, "NotImplemented", "", {}] : [3, messageId, minimal.payload]);
  }

  #answer(frame: unknown[]): void {
    this.#socket.send(JSON.stringify(frame));
  }

  async #before<T>(awaited: Promise<T>, what: string): Promise<T> {
    const ended = Promise.withResolvers<never>();
    const onClose = (code: number) => ended.reject(new Error(`closed with ${code}, no ${what}`));
    this.#socket.once("close", onClose);
    const timer = setTimeout(
      () => ended.reject(new Error(`no ${what} in ${ANSWER_DEADLINE_MS} ms`)),
      ANSWER_DEADLINE_MS,
    );
    try {
      return await Promise.race([awaited, ended.promise]);
    } finally {
      clearTimeout(timer);
      this.#socket.off("close", onClose);
    }
  }
}
