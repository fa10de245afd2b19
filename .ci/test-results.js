// `node .ci/test-results.js FILE`: reads vitest's JSON results. Prints "PASSED FAILED", then a line for each failed test, and for
// each file that failed as a whole.
import { existsSync, readFileSync } from "node:fs";
import { relative } from "node:path";

const say = (/** @type {string} */ line) => process.stdout.write(`${line}\n`);
const [, , file = ""] = process.argv;
if (existsSync(file)) tell(JSON.parse(readFileSync(file, "utf8")));
else say("0 0\nFAILED TESTS unknown: the run did not come to its end");

/** @typedef {{ fullName: string, status: string, failureMessages?: string[] }} TestResult */
/** @typedef {{ name: string, status: string, message?: string, assertionResults: TestResult[] }} FileResult */
/** @param {{ numPassedTests: number, numFailedTests: number, testResults: FileResult[] }} results */
function tell({ numPassedTests, numFailedTests, testResults }) {
  say(`${numPassedTests} ${numFailedTests}`);
  for (const { name, status, message, assertionResults } of testResults) {
    const path = relative(process.cwd(), name);
    const failed = assertionResults.filter((one) => one.status === "failed");
    for (const { fullName, failureMessages } of failed)
      say(`FAILED TEST ${path}: ${fullName}: ${firstLine(failureMessages?.[0])}`);
    if (status === "failed" && failed.length === 0) say(`FAILED FILE ${path}: ${firstLine(message)}`);
  }
}

/** @param {string | undefined} text */
function firstLine(text) {
  return (text ?? "").split("\n").find((line) => line.trim() !== "") ?? "";
}
