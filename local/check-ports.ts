import { portOwner } from "./port-owner.ts";
import { isFree } from "./ports.ts";
import type { StackConfig } from "./stack-config.ts";

/** Throws when a port is taken: which one, by whom, and what to do. */
export async function checkPorts(config: StackConfig): Promise<void> {
  const wanted: [variable: string, port: number][] = [["API_PORT", config.apiPort]];
  for (const port of config.gatewayPorts) wanted.push(["GATEWAY_PORTS", port]);
  if (config.smtpUrl === undefined) wanted.push(["MAIL_PORT", config.mailPort]);

  const taken: string[] = [];
  for (const [variable, port] of wanted) {
    if (await isFree(port)) continue;
    taken.push(
      `port ${port} is in use by ${portOwner(port) ?? "a process of another user"}: end that, or set ${variable} to another port`,
    );
  }
  if (taken.length > 0) throw new Error(taken.join("\n"));
}
