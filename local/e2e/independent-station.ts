import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { createRPCError, RPCClient } from "ocpp-rpc";
import { complaintsAboutFrame } from "../conformance/second-opinion.ts";

type Payload = Record<string, unknown>;

export interface IndependentStationOptions {
  /** ws:// origins of the nodes; it begins with the first. */
  origins: readonly string[];
  identity: string;
  password: string;
  version: OcppVersion;
  /** Its answer to a CALL of ours; undefined: it does not know the action. */
  answer(action: string, payload: Payload): Payload | undefined;
}

/**
 * A station on the `ocpp-rpc` client, in strict mode where that has the version's schemas (1.6, 2.0.1): it refuses to send what
 * breaks them, and refuses our answers and CALLs that do. Beside it typed-ocpp looks at every frame that comes in, in all
 * three versions. It reconnects only when it is told to.
 */
export class IndependentStation {
  /** What either of the two has against the frames that we sent. */
  readonly complaints: string[] = [];
  readonly commands: { action: string; payload: Payload }[] = [];
  readonly #options: IndependentStationOptions;
  readonly #client: RPCClient;
  readonly #actions = new Map<string, string>();
  #target = 0;

  constructor(options: IndependentStationOptions) {
    this.#options = options;
    const { identity, password, version } = options;
    const subprotocol = `ocpp${version}`;
    const settings = {
      identity,
      endpoint: this.#endpoint(),
      password,
      protocols: [subprotocol],
      strictMode: version === "2.1" ? false : [subprotocol],
      reconnect: false,
      callTimeoutMs: 60_000,
    };
    // Its types are of its old callback API.
    this.#client = new RPCClient(settings as unknown as ConstructorParameters<typeof RPCClient>[0]);
    this.#client.on("message", ({ message, outbound }: { message: unknown; outbound: boolean }) =>
      this.#look(String(message), outbound),
    );
    this.#client.on("strictValidationFailure", ({ error }: { error: unknown }) =>
      this.complaints.push(`ocpp-rpc: ${String(error)}`),
    );
    this.#client.handle((({ method = "", params = {} }: { method?: string; params?: Payload }) => {
      this.commands.push({ action: method, payload: params });
      const answer = options.answer(method, params);
      if (answer === undefined) throw createRPCError("NotImplemented", `${method} is not known to this station`, {});
      return answer;
    }) as unknown as Parameters<RPCClient["handle"]>[0]);
  }

  /** Which of the nodes it is connected to, or will be. */
  get target(): number {
    return this.#target;
  }

  async connect(): Promise<void> {
    await this.#client.connect();
  }

  /** Loses its connection without a word, as with its signal. */
  async cut(): Promise<void> {
    const over = new Promise((resolve) => this.#client.once("close", resolve));
    await this.#client.close({ code: 1006, reason: "", force: true } as unknown as Parameters<RPCClient["close"]>[0]);
    await over;
  }

  /** Connects again, to this node. */
  async comeBack(target: number): Promise<void> {
    this.#target = target;
    this.#client.reconfigure({ endpoint: this.#endpoint() } as unknown as Parameters<RPCClient["reconfigure"]>[0]);
    await this.#client.connect();
  }

  /** Leaves its connection and goes to this node. */
  async moveTo(target: number): Promise<void> {
    await this.cut();
    await this.comeBack(target);
  }

  /** Sends a CALL. Resolves to the payload of its CALLRESULT, rejects with a CALLERROR, or when the connection ends. */
  async call(action: string, payload: Payload): Promise<Payload> {
    return (await this.#client.call(action, payload)) as Payload;
  }

  #endpoint(): string {
    const { origins, version } = this.#options;
    return `${origins[this.#target % origins.length]}/ocpp/${version}`;
  }

  #look(text: string, outbound: boolean): void {
    const [type, messageId, action] = JSON.parse(text) as [number, string, string];
    if (outbound) {
      if (type === 2) this.#actions.set(messageId, action);
      return;
    }
    for (const complaint of complaintsAboutFrame(this.#options.version, text, this.#actions.get(messageId)))
      this.complaints.push(`typed-ocpp: ${complaint}: ${text.slice(0, 200)}`);
  }
}
