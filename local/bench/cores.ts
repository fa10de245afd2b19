import { readFileSync } from "node:fs";

/** The same list for whoever may use all of them. */
export const everywhere = (): string => allowedCpus().join(",");

/** Which CPU is the server's alone, and which are for everything else: whoever sends, and Redis. As `taskset -c` wants them. */
export interface Cores {
  server: string;
  others: string;
}

/** Shares out the CPUs that this process may use. Throws on a machine with one alone: nothing can be measured there. */
export function shareCores(allowed: readonly number[] = allowedCpus()): Cores {
  const [server, ...others] = allowed;
  if (server === undefined || others.length === 0)
    throw new Error("want two CPUs at least: one for the server, one for those who send");
  return { server: String(server), others: others.join(",") };
}

/** The CPUs that this process may use, as the kernel numbers them: not always from 0 on. Throws where there is no /proc. */
export function allowedCpus(): number[] {
  return parseCpuList(/^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "");
}

/** The kernel's list form: "0-3,8". */
export function parseCpuList(text: string): number[] {
  return [...text.matchAll(/(\d+)(?:-(\d+))?/g)].flatMap(([, from, to = from]) => {
    const first = Number(from);
    return Array.from({ length: Number(to) - first + 1 }, (_, at) => first + at);
  });
}
