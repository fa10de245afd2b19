import type { StationDataTransfer } from "./hook.ts";

// What travels between a hook's thread (hook-worker.ts) and the process.

/** To the thread. */
export interface HookQuestion {
  id: number;
  transfer: StationDataTransfer;
}

/** From the thread: first what the hook is, or why it is none; then an answer per question, as JSON text. */
export type HookWord =
  | { kind: "ready"; vendorId: string; messageIds: readonly string[] | undefined }
  | { kind: "mistake"; reason: string }
  | { kind: "answer"; id: number; answer: string }
  | { kind: "fault"; id: number; reason: string };
