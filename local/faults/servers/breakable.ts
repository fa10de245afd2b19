import type { ServerProcess } from "../../server-process.ts";
import type { Breakable } from "../contract.ts";

const STOP_DEADLINE_MS = 30_000;
const ASK_AGAIN_MS = 1_000;

/**
 * A server that can be killed, stopped, held and started again.
 *
 * @param start starts it on the same port and data as before
 * @param endSignal what it takes as the wish to end in order
 */
export function breakable(
  name: string,
  first: ServerProcess,
  start: () => Promise<ServerProcess>,
  endSignal: NodeJS.Signals,
): Breakable {
  let process = first;
  return {
    name,
    pid: () => process.pid,
    running: () => !process.hasEnded(),
    kill: () => process.stop("SIGKILL", STOP_DEADLINE_MS),
    async stop() {
      process.kill("SIGCONT"); // held, it would not hear of it
      // Redis forgets a wish that comes while it writes its file anew.
      const again = setInterval(() => process.kill(endSignal), ASK_AGAIN_MS);
      await process.stop(endSignal, STOP_DEADLINE_MS);
      clearInterval(again);
    },
    pause: () => process.kill("SIGSTOP"),
    resume: () => process.kill("SIGCONT"),
    async start() {
      if (process.hasEnded()) process = await start();
    },
  };
}
