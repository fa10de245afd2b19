import { encodeNodeMessage, type ProbedMessage, type ProbeMessage } from "@dynamo-csms/proto/command-message";
import { nodeCommands } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { Logger } from "pino";
import type { Session } from "../sockets/session.ts";

/** A station that is there answers a ping within this time, over any line that is of use. */
const PROBE_MS = 5_000;
/** For the way to the other node and back. */
const WAY_MS = 1_000;

interface Deps {
  nodeId: string;
  publisher: { spublish(channel: string, message: string): Promise<unknown> };
  sessions: { get(identity: StationIdentity): Session | undefined };
  /** The connection of this session was contested and answered: for the station's security log. */
  contested(session: Session, techInfo: string): void;
  log: Logger;
}

/** Who is asked after, and why. */
export interface ProbeQuestion {
  identity: StationIdentity;
  node: string;
  epoch: number;
  /** For the station's security log. */
  techInfo: string;
}

export type LivenessProbe = ReturnType<typeof createLivenessProbe>;

/**
 * Asks the connection that holds a contested station, here or on another node, whether its station still answers. No answer
 * in time, from the station or from its node, means no.
 */
export function createLivenessProbe({ nodeId, publisher, sessions, contested, log }: Deps) {
  const waiting = new Map<string, (alive: boolean) => void>();
  /** Questions under way, by connection: a newcomer that tries ten times a second is no reason for ten pings a second. */
  const underWay = new Map<string, Promise<boolean>>();
  let probes = 0;

  function once({ identity, epoch }: { identity: StationIdentity; epoch: number }, ask: () => Promise<boolean>) {
    const connection = `${epoch} ${identity}`;
    const asked = underWay.get(connection) ?? ask().finally(() => underWay.delete(connection));
    underWay.set(connection, asked);
    return asked;
  }

  async function askHere({ identity, epoch, techInfo }: Omit<ProbeQuestion, "node">): Promise<boolean> {
    const session = sessions.get(identity);
    if (session === undefined || session.epoch !== epoch) return false;
    const alive = (await session.answersPing(PROBE_MS)) && session.open;
    if (alive) contested(session, techInfo);
    return alive;
  }

  async function askElsewhere({ node, ...question }: ProbeQuestion): Promise<boolean> {
    const probeId = `${nodeId} ${++probes}`;
    const answered = Promise.withResolvers<boolean>();
    waiting.set(probeId, answered.resolve);
    const timer = setTimeout(() => answered.resolve(false), PROBE_MS + WAY_MS);
    try {
      const message = encodeNodeMessage({ v: 1, kind: "probe", probeId, askerNodeId: nodeId, ...question });
      // Nobody hears it: the node is gone, and its sockets with it.
      if ((await publisher.spublish(nodeCommands(node), message)) === 0) return false;
      return await answered.promise;
    } finally {
      clearTimeout(timer);
      waiting.delete(probeId);
    }
  }

  return {
    /** True when the station answers on the connection that holds it. Rejects when Redis cannot be asked. */
    answers: (question: ProbeQuestion): Promise<boolean> =>
      once(question, () => (question.node === nodeId ? askHere(question) : askElsewhere(question))),

    /** Another node asks after a connection of this one. Never rejects. */
    async onProbe(message: ProbeMessage): Promise<void> {
      const alive = await once(message, () => askHere(message));
      const answer = encodeNodeMessage({ v: 1, kind: "probed", probeId: message.probeId, alive });
      await publisher.spublish(nodeCommands(message.askerNodeId), answer).catch((error: Error) => {
        log.warn({ station: message.identity, error: error.message }, "probe not answered");
      });
    },

    /** The answer to a question of this node; late ones are dropped. */
    onProbed(message: ProbedMessage): void {
      waiting.get(message.probeId)?.(message.alive);
    },
  };
}
