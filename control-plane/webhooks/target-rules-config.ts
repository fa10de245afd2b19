import type { ConfigReader } from "../config-reader.ts";
import { parseNetworks } from "./address-rules.ts";
import type { TargetRules } from "./guarded-fetch.ts";

/**
 * Reads where webhooks may go, the same for the process that accepts a URL and the one that calls it:
 * WEBHOOK_ALLOW_PRIVATE (development only), WEBHOOK_PORTS, WEBHOOK_BLOCKED_NETWORKS (CIDRs, such as the cluster's own).
 */
export function readTargetRules(read: ConfigReader, production: boolean): TargetRules {
  const allowPrivate = read.boolean("WEBHOOK_ALLOW_PRIVATE", false);
  if (allowPrivate && production) read.mistakes.push("WEBHOOK_ALLOW_PRIVATE: not with NODE_ENV=production");
  const ports = list(read.text("WEBHOOK_PORTS", "443,8443")).map(Number);
  if (ports.length === 0 || !ports.every((port) => Number.isInteger(port) && port > 0 && port <= 65_535))
    read.mistakes.push("WEBHOOK_PORTS: want ports, separated by commas");
  const blockedNetworks = list(read.text("WEBHOOK_BLOCKED_NETWORKS", ""));
  try {
    parseNetworks(blockedNetworks);
  } catch (cause) {
    read.mistakes.push(`WEBHOOK_BLOCKED_NETWORKS: ${(cause as Error).message}`);
  }
  return { allowPrivate, ports, blockedNetworks };
}

const list = (text: string) =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
