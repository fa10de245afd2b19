import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { extractDebianPackages, isDebian } from "../debian-packages.ts";
import { FOLDERS } from "../folders.ts";

export interface PrometheusPrograms {
  prometheus: string;
  promtool: string;
}

/**
 * Prometheus and promtool: those on PATH, else those fetched before, else Debian's package, unpacked into a folder of
 * ours without touching the system.
 *
 * @param say progress for a person
 * @throws with the remedy when there are none
 */
export async function prometheusPrograms(say: (line: string) => void): Promise<PrometheusPrograms> {
  if ((await runs("prometheus")) && (await runs("promtool"))) return { prometheus: "prometheus", promtool: "promtool" };
  const unpacked = join(FOLDERS.tools, "prometheus");
  const fetched = {
    prometheus: join(unpacked, "usr", "bin", "prometheus"),
    promtool: join(unpacked, "usr", "bin", "promtool"),
  };
  if (!existsSync(fetched.prometheus)) {
    if (!isDebian()) throw new Error("there is no Prometheus on PATH: install prometheus and promtool");
    say("Prometheus: none on this machine, fetching Debian's package (nothing is installed on the system)");
    await extractDebianPackages(["prometheus"], unpacked);
  }
  if ((await runs(fetched.prometheus)) && (await runs(fetched.promtool))) return fetched;
  throw new Error("the fetched Prometheus does not run on this machine: install prometheus and promtool");
}

async function runs(program: string): Promise<boolean> {
  return promisify(execFile)(program, ["--version"]).then(
    () => true,
    () => false,
  );
}
