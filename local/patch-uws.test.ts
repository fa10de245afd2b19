import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lowerImportVersion } from "./elf-versions.js";
import { patchAddon, PINS } from "./patch-uws.js";

const PACKAGE = join(dirname(dirname(fileURLToPath(import.meta.url))), "node_modules", "uWebSockets.js");
const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "patch-uws-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

// This machine's own addon may be patched already; the other processor's is as it was published.
const other = process.arch === "x64" ? "arm64" : "x64";

describe("the published addon", () => {
  test("becomes the pinned result, and a second run changes nothing", () => {
    const file = join(folder, "addon.node");
    copyFileSync(join(PACKAGE, `uws_linux_${other}_137.node`), file);
    const pin = PINS[other] as (typeof PINS)[string];
    expect(sha256(readFileSync(file))).toBe(pin.original);
    expect(patchAddon(file, pin)).toBe("patched");
    expect(sha256(readFileSync(file))).toBe(pin.patched);
    const { mtimeMs, ino } = statSync(file);
    expect(patchAddon(file, pin)).toBe("was-patched");
    expect(statSync(file)).toMatchObject({ mtimeMs, ino });
  });

  test("that is another one than expected is not touched", () => {
    const file = join(folder, "other.node");
    writeFileSync(file, "something else");
    expect(() => patchAddon(file, PINS[other] as (typeof PINS)[string])).toThrow(/not touched/);
    expect(readFileSync(file, "utf8")).toBe("something else");
  });
});

test("an import that only the newer version has is refused, not renamed", () => {
  const addon = readFileSync(join(PACKAGE, `uws_linux_${other}_137.node`));
  const change = { library: "libc.so.6", from: "GLIBC_2.36", to: "GLIBC_2.17", prefix: "__isoc23_" };
  expect(() => lowerImportVersion(addon, change)).toThrow(/arc4random needs GLIBC_2.36 itself/);
});

test("what is no ELF object is refused", () => {
  expect(() => lowerImportVersion(Buffer.alloc(64), { library: "", from: "", to: "", prefix: "" })).toThrow(
    /not a little-endian 64-bit ELF/,
  );
});
