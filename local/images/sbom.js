// Plain JavaScript: runs in the images' build. `node sbom.js NAME VERSION` prints what is installed in ./node_modules, and the Node
// that runs it, as a CycloneDX 1.5 document. `npm sbom` reads the lockfile, and leaves out what is a development package of
// another workspace.
import { readFileSync } from "node:fs";

/** @typedef {{ name?: string, version?: string, resolved?: string, integrity?: string, license?: string, link?: boolean }} Installed */

/**
 * @param {Record<string, Installed>} packages of `node_modules/.package-lock.json`
 * @param {{ name: string, version: string, node: string }} image
 */
export function sbom(packages, image) {
  const installed = Object.entries(packages).filter(([path, { link }]) => path.includes("node_modules/") && !link);
  const components = installed
    // The one that brought it is gone: the program alone is in the image, and named as itself.
    .filter(([path]) => !/(^|\/)node-linux-/.test(path))
    .map(([path, entry]) => {
      const name = entry.name ?? path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
      const purl = `pkg:npm/${name.replace("@", "%40")}@${entry.version}`;
      return {
        type: "library",
        "bom-ref": `${purl}#${path}`,
        name,
        version: entry.version,
        purl,
        ...(entry.license && { licenses: [{ expression: entry.license }] }),
        ...(entry.integrity && { hashes: entry.integrity.split(" ").map(hashOf) }),
      };
    });
  const node = {
    type: "platform",
    "bom-ref": "node",
    name: "node",
    version: image.node,
    purl: `pkg:generic/node@${image.node}`,
  };
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.5.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: { component: { type: "container", "bom-ref": image.name, name: image.name, version: image.version } },
    components: [node, ...components],
  };
}

/** @param {string} integrity such as `sha512-base64` */
function hashOf(integrity) {
  const [algorithm = "", text = ""] = integrity.split(/-(.*)/s);
  return { alg: algorithm.replace("sha", "SHA-"), content: Buffer.from(text, "base64").toString("hex") };
}

if (import.meta.main) {
  const [name = "", version = ""] = process.argv.slice(2);
  const { packages } = JSON.parse(readFileSync("node_modules/.package-lock.json", "utf8"));
  console.log(JSON.stringify(sbom(packages, { name, version, node: process.versions.node }), null, 2));
}
