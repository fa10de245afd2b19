import { once } from "node:events";
import { Agent, WebSocket } from "undici";

type Frame = [number, string, ...unknown[]];

export interface TestStation {
  /** Sends a CALL and resolves to the answer's payload. */
  call(action: string, payload: Record<string, unknown>): Promise<Record<string, unknown>>;
  /** The first CALL of the CSMS, answered with Accepted. */
  commanded: Promise<string>;
  close(): void;
}

/**
 * The least of a charge point that speaks OCPP 1.6: connects with its password, sends CALLs, accepts every command. What
 * certificate a gateway shows is not looked at: inside the cluster it has another name than outside.
 *
 * @throws when the connection is refused
 */
export async function connectStation(url: string, chargePointId: string, password: string): Promise<TestStation> {
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
  const socket = new WebSocket(`${url}/1.6/${encodeURIComponent(chargePointId)}`, {
    protocols: ["ocpp1.6"],
    headers: { authorization: `Basic ${Buffer.from(`${chargePointId}:${password}`).toString("base64")}` },
    dispatcher,
  });
  const opened = new AbortController();
  await Promise.race([
    once(socket, "open", { signal: opened.signal }),
    once(socket, "error", { signal: opened.signal }).then(([event]) => {
      throw new Error(`${url} refused the charge point: ${String((event as { message?: string }).message)}`);
    }),
  ]).finally(() => opened.abort());

  const answers = new Map<string, (frame: Frame) => void>();
  const commanded = Promise.withResolvers<string>();
  socket.addEventListener("message", ({ data }) => {
    const frame = JSON.parse(String(data)) as Frame;
    const [type, id] = frame;
    if (type !== 2) return answers.get(id)?.(frame);
    socket.send(JSON.stringify([3, id, { status: "Accepted" }]));
    commanded.resolve(String(frame[2]));
  });
  let calls = 0;
  return {
    commanded: commanded.promise,
    close: () => socket.close(1000),
    async call(action, payload) {
      const id = String((calls += 1));
      const answered = new Promise<Frame>((resolve) => answers.set(id, resolve));
      socket.send(JSON.stringify([2, id, action, payload]));
      const frame = await answered;
      if (frame[0] !== 3) throw new Error(`${action} was answered with ${JSON.stringify(frame)}`);
      return frame[2] as Record<string, unknown>;
    },
  };
}
