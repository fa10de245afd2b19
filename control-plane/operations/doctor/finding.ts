/** What doctor says of one thing. Nothing in it is a secret: neither a password, nor a token, nor a payload. */
export interface Finding {
  /** What was looked at: "redis", "postgres", … */
  check: string;
  /** problem: something does not work, or a promise is not kept; warning: it will not, or might not. */
  status: "ok" | "warning" | "problem";
  seen: string;
  /** What to do; for all that is not ok. */
  remedy?: string;
  /** A page below docs/runbooks/. */
  runbook?: string;
}

/** One part of the examination. */
export interface Check {
  name: string;
  /** What there is to say. A fault that it throws, or its time running out, is a finding too, and holds up no other check. */
  run(): Promise<Finding[]>;
  /** The page for when it cannot be carried out. */
  runbook?: string;
}

/** Makes findings of one check, in the order in which they are told. */
export class Findings {
  readonly all: Finding[] = [];
  readonly #check: string;

  constructor(check: string) {
    this.#check = check;
  }

  ok(seen: string): void {
    this.all.push({ check: this.#check, status: "ok", seen });
  }

  warning(seen: string, remedy: string, runbook?: string): void {
    this.all.push({ check: this.#check, status: "warning", seen, remedy, ...(runbook && { runbook }) });
  }

  problem(seen: string, remedy: string, runbook?: string): void {
    this.all.push({ check: this.#check, status: "problem", seen, remedy, ...(runbook && { runbook }) });
  }
}
