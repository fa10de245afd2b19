/**
 * The alerts in a hurry, for a test: what has to hold for minutes has to hold for a second, what is compared with a quarter of
 * an hour ago is compared with a minute ago, and a message is late after three seconds. The expressions are the same.
 */
export function quickRules(rules: string): string {
  return rules
    .replaceAll(/^(\s+for:) \w+$/gm, "$1 1s")
    .replaceAll("[15m:1m]", "[1m:1s]")
    .replace("max(dynamo_lane_oldest_waiting_seconds) > 60", "max(dynamo_lane_oldest_waiting_seconds) > 3");
}
