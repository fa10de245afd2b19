import type { StationCredentials } from "../contract.ts";
import type { FleetProcessContext } from "./fleet-process-context.ts";
import type { StationLink } from "./station-link.ts";
import type { Reply, Story } from "./story.ts";

interface CommandDeskDeps extends FleetProcessContext {
  credentials: StationCredentials;
  link: StationLink;
  story: Story;
  random: () => number;
  /** The station is to start anew, as a Reset of this type asks for. */
  reboot(type: string): void;
}

/** One command in so many is answered only after two seconds. */
const SLOW_ANSWER_EVERY = 50;
const SLOW_ANSWER_MS = 2_000;

/** Answers the CSMS's CALLs after a moment, whether a CALL of the station is open or not. */
export class CommandDesk {
  readonly #deps: CommandDeskDeps;

  constructor(deps: CommandDeskDeps) {
    this.#deps = deps;
  }

  /** Takes a CALL. It has no answer when its connection is gone by then. */
  take(messageId: string, action: string, payload: Record<string, unknown>): void {
    const { ledger, credentials, settings, wheel, nowMs, link, story, random, reboot } = this.#deps;
    const { connection } = link;
    const waitMs = random() * SLOW_ANSWER_EVERY < 1 ? SLOW_ANSWER_MS : random() * settings.commandDelayMs;
    wheel.after(waitMs, () => {
      const line = ["command", nowMs(), credentials.identity, connection, messageId, action] as const;
      if (!link.isOpen || link.connection !== connection) return ledger.add([...line]);
      const reply = story.command(action, payload);
      ledger.add([...line, "error" in reply ? { error: reply.error } : reply.result]);
      link.send(answerTo(messageId, reply));
      if ("error" in reply) return;
      reply.follow?.();
      if (action === "Reset" && settings.rebootOnReset) reboot(String(payload["type"]));
    });
  }
}

const answerTo = (messageId: string, reply: Reply): string =>
  "error" in reply ? JSON.stringify([4, messageId, reply.error, "", {}]) : JSON.stringify([3, messageId, reply.result]);
