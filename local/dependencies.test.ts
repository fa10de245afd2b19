import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FOLDERS } from "./folders.ts";

interface Manifest {
  name?: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  scripts?: Record<string, string>;
  workspaces?: string[];
  allowScripts?: Record<string, boolean>;
}
interface Locked {
  version?: string;
  resolved?: string;
  integrity?: string;
  link?: boolean;
  hasInstallScript?: boolean;
}

const readJson = <T>(...path: string[]): T => JSON.parse(readFileSync(join(FOLDERS.root, ...path), "utf8")) as T;
const root = readJson<Manifest>("package.json");
const workspaces = root.workspaces ?? [];
const manifests = ["", ...workspaces].map((folder) => ({
  folder,
  manifest: readJson<Manifest>(folder, "package.json"),
}));
const locked = Object.entries(readJson<{ packages: Record<string, Locked> }>("package-lock.json").packages);
/** What comes from elsewhere: neither the project itself nor its workspaces. */
const foreign = locked.filter(([path, { link }]) => path.includes("node_modules/") && link !== true);
const nameOf = (path: string) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);

test("[E20] every dependency is named with one version, none with a range, a tag or an address", () => {
  const loose = manifests.flatMap(({ folder, manifest }) =>
    [manifest.dependencies, manifest.devDependencies, manifest.optionalDependencies]
      .flatMap((group) => Object.entries(group ?? {}))
      .filter(([name]) => !name.startsWith("@dynamo-csms/"))
      .filter(([, wanted]) => !/^(npm:(@[\w.-]+\/)?[\w.-]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/.test(wanted))
      .map(([name, wanted]) => `${folder || "."}: ${name} ${wanted}`),
  );
  expect(loose).toEqual([]);
});

test("[E20] the lockfile holds every package with its SHA-512, from a registry and by TLS", () => {
  expect(foreign.length).toBeGreaterThan(100);
  const unsure = foreign.filter(
    ([, { integrity, resolved }]) =>
      !(integrity ?? "").startsWith("sha512-") || (resolved !== undefined && !resolved.startsWith("https://")),
  );
  expect(unsure.map(([path]) => path)).toEqual([]);
});

test("[E20] nothing runs while packages are installed: each that would is named, and refused", () => {
  const wanting = new Set(foreign.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => nameOf(path)));
  const decided = root.allowScripts ?? {};
  expect([...wanting].filter((name) => decided[name] !== false)).toEqual([]);
  expect(Object.entries(decided).filter(([, allowed]) => allowed)).toEqual([]);
  const own = manifests.flatMap(({ folder, manifest }) =>
    Object.keys(manifest.scripts ?? {})
      .filter((name) => /^(pre|post)?(install|prepare|publish)/.test(name))
      .map((name) => `${folder || "."}: ${name}`),
  );
  expect(own).toEqual([]);
});

test("[E20] every workspace is the one of this repository, none is taken from a registry", () => {
  const names = manifests.slice(1).map(({ manifest }) => manifest.name);
  expect(names.filter((name) => !name?.startsWith("@dynamo-csms/"))).toEqual([]);
  const links = new Set(locked.filter(([, { link }]) => link).map(([path]) => nameOf(path)));
  expect(names.filter((name) => !links.has(String(name)))).toEqual([]);
  expect(readdirSync(FOLDERS.root)).toContain("package-lock.json");
});
