import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import type { DataTransferSettings } from "./hook-settings.ts";
import type { StationDataTransfer } from "./hook.ts";
import { HookRunner } from "./hook-runner.ts";

/** The hooks of this process, by vendor. */
export interface DataTransferHooks {
  /** Who answers this vendor's messages. Undefined: nobody. */
  find(vendorId: string): VendorHook | undefined;
  stop(): Promise<void>;
}

export interface VendorHook {
  /** Whether it knows the message. */
  knows(messageId: string | undefined): boolean;
  /** Its answer, unchecked; or why there is none. Never rejects. */
  ask(transfer: StationDataTransfer): Promise<Result<unknown, string>>;
}

/**
 * Loads every module of DATA_TRANSFER_HOOKS, each into its thread.
 * @returns all that is wrong, one line each: a module that cannot be loaded, is no hook, or has the vendor of another.
 */
export async function openDataTransferHooks(
  settings: DataTransferSettings,
): Promise<Result<DataTransferHooks, string[]>> {
  const { paths, timeoutMs, env } = settings;
  const runners = paths.map((path) => new HookRunner({ url: pathToFileURL(resolve(path)).href, timeoutMs, env }));
  const stop = async () => void (await Promise.all(runners.map((runner) => runner.stop())));
  const described = await Promise.all(runners.map((runner) => runner.describe()));
  const mistakes: string[] = [];
  const hooks = new Map<string, VendorHook>();
  for (const [place, description] of described.entries()) {
    const path = paths[place] as string;
    if (!description.ok) {
      mistakes.push(`DATA_TRANSFER_HOOKS: ${path}: ${description.error}`);
      continue;
    }
    const { vendorId, messageIds } = description.value;
    const vendor = vendorId.toLowerCase();
    if (hooks.has(vendor)) mistakes.push(`DATA_TRANSFER_HOOKS: ${path}: another module is for ${vendorId} already`);
    const known = messageIds && new Set(messageIds.map((id) => id.toLowerCase()));
    const runner = runners[place] as HookRunner;
    hooks.set(vendor, {
      knows: (messageId) => known === undefined || (messageId !== undefined && known.has(messageId.toLowerCase())),
      ask: (transfer) => runner.ask(transfer),
    });
  }
  if (mistakes.length === 0) return ok({ find: (vendorId) => hooks.get(vendorId.toLowerCase()), stop });
  await stop();
  return err(mistakes);
}
