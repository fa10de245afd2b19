// The thread of one hook. It imports nothing of the product at run time, and what the hook does stays in here.
import { parentPort, workerData } from "node:worker_threads";
import type { DataTransferHook } from "./hook.ts";
import type { HookQuestion, HookWord } from "./hook-messages.ts";

const tell = (word: HookWord) => parentPort?.postMessage(word);
const reasonOf = (fault: unknown) => (fault instanceof Error ? fault.message : String(fault));

/** Throws what a person must change. */
async function openHook(url: string): Promise<DataTransferHook> {
  const { default: hook } = (await import(url)) as { default?: Partial<DataTransferHook> };
  if (typeof hook !== "object" || hook === null) throw new Error("it has no default export that is an object");
  const { vendorId, messageIds, handle } = hook;
  if (typeof vendorId !== "string" || vendorId === "") throw new Error("its vendorId is not a text");
  if (messageIds !== undefined && !(Array.isArray(messageIds) && messageIds.every((id) => typeof id === "string")))
    throw new Error("its messageIds is not a list of texts");
  if (typeof handle !== "function") throw new Error("its handle is not a function");
  return hook as DataTransferHook;
}

async function answer(hook: DataTransferHook, { id, transfer }: HookQuestion): Promise<void> {
  try {
    tell({ kind: "answer", id, answer: JSON.stringify(await hook.handle(transfer)) ?? "null" });
  } catch (fault) {
    tell({ kind: "fault", id, reason: reasonOf(fault) });
  }
}

try {
  const hook = await openHook((workerData as { url: string }).url);
  parentPort?.on("message", (question: HookQuestion) => void answer(hook, question));
  tell({ kind: "ready", vendorId: hook.vendorId, messageIds: hook.messageIds });
} catch (fault) {
  tell({ kind: "mistake", reason: reasonOf(fault) });
}
