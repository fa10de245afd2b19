import type { Check, Finding } from "./finding.ts";

/** Longer than the timeouts of what the checks ask, so that these say by themselves what hangs. */
const CHECK_LIMIT_MS = 15_000;

/**
 * Carries out all checks at once, each with a limit of its own: what hangs or throws is a finding, and hides no other.
 * Resolves to the findings in the order of the checks. Never rejects.
 * @param secrets texts that must not be shown, wherever they come up.
 */
export async function runChecks(
  checks: readonly Check[],
  { secrets = [], limitMs = CHECK_LIMIT_MS }: { secrets?: readonly string[]; limitMs?: number } = {},
): Promise<Finding[]> {
  const found = await Promise.all(checks.map((check) => runOne(check, limitMs)));
  return found.flat().map((finding) => withoutSecrets(finding, secrets));
}

async function runOne(check: Check, limitMs: number): Promise<Finding[]> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs / 1_000} s`)), limitMs);
  });
  try {
    return await Promise.race([check.run(), tooLate]);
  } catch (fault) {
    return [
      {
        check: check.name,
        status: "problem",
        seen: `could not be examined: ${reasonOf(fault)}`,
        remedy: "Find out why it does not answer; the others are examined all the same.",
        ...(check.runbook === undefined ? {} : { runbook: check.runbook }),
      },
    ];
  } finally {
    clearTimeout(timer);
  }
}

/** A fault in a line. */
export function reasonOf(fault: unknown): string {
  const cause = fault instanceof AggregateError ? (fault.errors[0] as unknown) : fault;
  if (!(cause instanceof Error)) return "unknown fault";
  const code = (cause as { code?: unknown }).code;
  return (cause.message || (typeof code === "string" ? code : cause.name)).split("\n")[0]?.slice(0, 300) ?? cause.name;
}

function withoutSecrets(finding: Finding, secrets: readonly string[]): Finding {
  let { seen } = finding;
  for (const secret of secrets) if (secret.length > 3) seen = seen.replaceAll(secret, "***");
  return { ...finding, seen };
}
