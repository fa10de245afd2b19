import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { FaultySystem } from "../contract.ts";

/** What left the system: webhooks at a receiver of ours, and mails in the sink. */
export interface Outside {
  /** Asks for one more mail, by a sign-up under an address of its own. */
  signUp(): Promise<void>;
  /**
   * Waits until everything that has to go out has come, and says what is wrong: a webhook that did not come, one that came
   * under two ids, a mail that did not come or came twice.
   */
  judge(timeoutMs: number): Promise<{ breaches: string[]; notes: string[] }>;
  close(): Promise<void>;
}

const EVENTS = ["session.started", "session.ended"];

/** Registers a receiver for the sessions' webhooks. */
export async function watchOutside(system: FaultySystem): Promise<Outside> {
  /** Webhook id → how often it came; and the session that each of them is about → the ids that it came under. */
  const came = new Map<string, number>();
  const idsOf = new Map<string, Set<string>>();
  const addresses: string[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const id = String(request.headers["webhook-id"]);
      const event = JSON.parse(body) as { type: string; data: { session_id?: string; id?: string } };
      const about = `${event.type} ${event.data.session_id ?? event.data.id}`;
      came.set(id, (came.get(id) ?? 0) + 1);
      idsOf.set(about, (idsOf.get(about) ?? new Set()).add(id));
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  const made = await system.rest("POST", "/api/v1/webhooks/endpoints", { url, events: EVENTS });
  const { id: endpointId } = made.body as { id?: string };
  if (made.status !== 201 || endpointId === undefined)
    throw new Error(`no webhook endpoint: ${made.status} ${JSON.stringify(made.body)}`);

  const missing = async () =>
    (
      await system.sql<{ id: string }>(
        `select e.id from events e join webhook_deliveries d on d.event_id = e.id where d.endpoint_id = $1`,
        [endpointId],
      )
    ).filter(({ id }) => !came.has(id));
  const mails = async () => {
    const { messages } = (await (await fetch(`${system.mailUrl}/api/messages`)).json()) as {
      messages: { to: string[] }[];
    };
    return messages.flatMap((message) => message.to);
  };

  return {
    async signUp() {
      const address = `installer-${addresses.length + 1}-${Date.now()}@installers.example`;
      const person = { email: address, password: "a long enough pass phrase 7", full_name: "I N Staller" };
      const answer = await system.rest("POST", "/api/v1/installer/signup", {
        ...person,
        phone: "+4930123456",
        company: "Installers",
      });
      if (answer.status === 201) addresses.push(address);
    },
    async judge(timeoutMs) {
      const deadline = Date.now() + timeoutMs;
      let [unsent, unmailed] = [await missing(), addresses];
      while (Date.now() < deadline && (unsent.length > 0 || unmailed.length > 0)) {
        await new Promise((resolve) => setTimeout(resolve, 500));
        const arrived = new Set(await mails());
        [unsent, unmailed] = [await missing(), addresses.filter((address) => !arrived.has(address))];
      }
      const all = await mails();
      const doubled = addresses.filter((address) => all.filter((to) => to === address).length > 1);
      const underTwoIds = [...idsOf].filter(([, ids]) => ids.size > 1);
      const repeated = [...came.values()].filter((times) => times > 1).length;
      await system.rest("DELETE", `/api/v1/webhooks/endpoints/${endpointId}`);
      return {
        breaches: [
          ...(unsent.length > 0 ? [`${unsent.length} webhooks did not come`] : []),
          ...underTwoIds.slice(0, 3).map(([about, ids]) => `${about} came under ${ids.size} webhook ids`),
          ...(unmailed.length > 0 ? [`${unmailed.length} of ${addresses.length} mails did not come`] : []),
          ...(doubled.length > 0 ? [`${doubled.length} mails came twice`] : []),
        ],
        notes: [`${came.size} webhooks, ${repeated} of them more than once; ${addresses.length} mails`],
      };
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
