import type { GatewayProcess } from "./gateway-process.ts";

/** The sum of a metric of the process over the labels that match; 0 when there is none. */
export async function figureOf(gateway: GatewayProcess, name: string, labels = /^/): Promise<number> {
  const text = await (await fetch(`${gateway.internalUrl}/metrics`)).text();
  return text
    .split("\n")
    .filter((line) => line.startsWith(`${name} `) || (line.startsWith(`${name}{`) && labels.test(line)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}
