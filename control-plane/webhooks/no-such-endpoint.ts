import { ProblemError } from "../http/problems.ts";

/** Of this organisation, that is: others' endpoints are not found either. */
export const noSuchEndpoint = () => new ProblemError("not_found", "There is no such webhook endpoint.");

/** Throws ProblemError when nothing was found. */
export function orNotFound<T>(found: T | undefined): T {
  if (found === undefined) throw noSuchEndpoint();
  return found;
}
