import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import WebSocket, { WebSocketServer } from "ws";
import { complaintsAboutFrame } from "../conformance/second-opinion.ts";

export interface WitnessedStation {
  identity: string;
  password: string;
  version: OcppVersion;
}

/** What went through a witness. */
export interface Testimony {
  /** Frames towards the gateway that it owes an answer: CALLs with a readable id, and in 2.0.1 unknown message types (F9). */
  calls: number;
  answered: number;
  /** CALLs that the gateway was still to answer when it closed the connection: a station sends them again. */
  cut: number;
  /** Close codes of the gateway, and statuses of refused handshakes → how often. */
  closes: Record<string, number>;
  /** Frames of the gateway that break the specification, or answer nothing that was asked. */
  complaints: string[];
}

export interface FuzzWitness {
  /** For the fuzzer to connect to. */
  url: string;
  testimony: Testimony;
  /**
   * For when the fuzzer has left: sends a Heartbeat behind all that it sent on each connection that is still open, and resolves to
   * the actions of the CALLs that are unanswered when that is answered. The connections are closed after it.
   */
  lastAnswers(): Promise<string[]>;
  close(): Promise<void>;
}

/**
 * Stands between ocpp-ws-cli's fuzzer and a gateway node, and keeps account: the fuzzer only counts answers. It brings the
 * credentials, which the fuzzer has none of, and the versions, of which it knows one: worker n becomes the n-th station. What
 * the fuzzer sends goes through as it is.
 */
export async function startFuzzWitness(origin: string, stations: readonly WitnessedStation[]): Promise<FuzzWitness> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "ocpp1.6" });
  await once(server, "listening");
  const testimony: Testimony = { calls: 0, answered: 0, cut: 0, closes: {}, complaints: [] };
  const lines = new Set<{ gateway: WebSocket; open: Map<string, string> }>();
  const count = (code: number | string) => (testimony.closes[code] = (testimony.closes[code] ?? 0) + 1);
  const complain = (text: string) => void (testimony.complaints.length < 20 && testimony.complaints.push(text));

  server.on("connection", (fuzzer, request) => {
    const worker = Number(/\d+$/.exec(request.url ?? "")?.[0] ?? "1");
    const { identity, password, version } = stations[(worker - 1) % stations.length] as WitnessedStation;
    const gateway = new WebSocket(`${origin}/ocpp/${version}/${identity}`, [`ocpp${version}`], {
      auth: `${identity}:${password}`,
    });
    const line = { gateway, open: new Map<string, string>() };
    const early: string[] = [];
    const forward = (text: string) => {
      const id = idOfCall(version, text);
      if (id !== undefined) {
        testimony.calls += 1;
        line.open.set(id, actionOf(text));
      }
      gateway.send(text);
    };
    fuzzer.on("error", () => {});
    fuzzer.on("message", (data: Buffer) => {
      const text = data.toString("utf8");
      if (gateway.readyState === WebSocket.OPEN) forward(text);
      else if (gateway.readyState === WebSocket.CONNECTING) early.push(text);
    });
    gateway.on("open", () => {
      lines.add(line);
      for (const text of early.splice(0)) forward(text);
    });
    gateway.on("message", (data: Buffer) => {
      const text = data.toString("utf8");
      const [type, id] = JSON.parse(text) as [number, string];
      const action = line.open.get(id);
      if (line.open.delete(id)) testimony.answered += 1;
      // "-1" stands for an id that could not be read.
      else if (type !== 2 && id !== "-1") complain(`${version}: an answer to nothing: ${text.slice(0, 200)}`);
      if (type === 4 || action === undefined || KNOWN.has(action))
        for (const found of complaintsAboutFrame(version, text, action))
          complain(`${version}: ${found}: ${text.slice(0, 200)}`);
      fuzzer.send(text);
    });
    gateway.on("unexpected-response", (_, response) => {
      count(`HTTP ${response.statusCode}`);
      fuzzer.close(1013);
    });
    gateway.on("error", () => {});
    gateway.on("close", (code) => {
      if (lines.delete(line)) {
        if (code !== LEFT) count(code);
        testimony.cut += line.open.size;
      }
      fuzzer.close(code === 1008 || code === 1013 ? code : 1000);
    });
  });

  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    testimony,
    async lastAnswers() {
      const left = await Promise.all(
        [...lines].map(async ({ gateway, open }) => {
          const id = `witness-${Math.random().toString(36).slice(2, 10)}`;
          const closed = once(gateway, "close");
          open.set(id, "Heartbeat");
          testimony.calls += 1;
          gateway.send(`[2,"${id}","Heartbeat",{}]`);
          const answered = new Promise<void>((resolve) => {
            const look = () => void (open.has(id) || (gateway.off("message", look), resolve()));
            gateway.on("message", look);
          });
          await Promise.race([answered, closed]);
          if (gateway.readyState !== WebSocket.OPEN) return [];
          gateway.close(LEFT);
          await closed;
          return [...open.values()];
        }),
      );
      return left.flat();
    },
    async close() {
      for (const { gateway } of lines) gateway.terminate();
      for (const client of server.clients) client.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Our own close code: all was answered. */
const LEFT = 1000;

/** The fuzzer's actions that have a response schema: it also makes one up. */
const KNOWN = new Set(["BootNotification", "Heartbeat", "Authorize", "StartTransaction"]);

/** The message id of a frame that has to be answered; undefined for all else. */
function idOfCall(version: OcppVersion, text: string): string | undefined {
  try {
    const [type, id] = JSON.parse(text) as unknown[];
    const isOwed = type === 2 || (version === "2.0.1" && typeof type === "number" && (type < 2 || type > 6));
    return isOwed && typeof id === "string" && id.length >= 1 && id.length <= 36 ? id : undefined;
  } catch {
    return undefined;
  }
}

const actionOf = (text: string): string => String((JSON.parse(text) as unknown[])[2]);
