import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { SCALING_PAGE, scalingPage } from "./scaling-page.ts";

test("docs/scaling.md holds what the published runs give: npm run generate:documents writes it", () => {
  const page = readFileSync(SCALING_PAGE, "utf8");
  expect(page).toBe(scalingPage(page));
});
