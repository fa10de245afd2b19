import exec from "k6/execution";

/**
 * Milliseconds since 1970 with fractions, which `Date.now()` does not have: the run's own clock, laid on a tick of `Date.now()`.
 * In the same time as the timestamps of WebSocket events.
 */
export function startClock(): () => number {
  const begin = Date.now();
  let tick = begin;
  while (tick === begin) tick = Date.now();
  const offsetMs = tick - exec.instance.currentTestRunDuration;
  return () => offsetMs + exec.instance.currentTestRunDuration;
}
