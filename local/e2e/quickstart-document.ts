/** One step of an installer's quickstart: the command as it is printed, and the answer printed below it. */
export interface QuickstartStep {
  curl: string;
  answer: Record<string, unknown>;
}

/**
 * Finds the curl commands of a document and the JSON answer that follows each. Works on Markdown and on plain text:
 * a command begins with `curl ` at a line's start and goes on while a line ends in a backslash or a quote is open;
 * an answer is everything from a `{` alone on a line to the next `}` alone on a line.
 */
export function readQuickstart(text: string): QuickstartStep[] {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  const steps: QuickstartStep[] = [];
  let curl: string | undefined;
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] as string;
    if (line.startsWith("curl ")) {
      const end = commandEnd(lines, at);
      curl = lines.slice(at, end + 1).join("\n");
      at = end;
    } else if (line === "{" && curl !== undefined) {
      const end = lines.indexOf("}", at);
      steps.push({ curl, answer: JSON.parse(lines.slice(at, end + 1).join("\n")) as Record<string, unknown> });
      curl = undefined;
      at = end;
    }
  }
  return steps;
}

function commandEnd(lines: readonly string[], start: number): number {
  let quoted = false;
  for (let at = start; at < lines.length; at += 1) {
    const line = lines[at] as string;
    if ((line.match(/'/g)?.length ?? 0) % 2 === 1) quoted = !quoted;
    if (!quoted && !line.endsWith("\\")) return at;
  }
  throw new Error(`the command of line ${start + 1} has no end`);
}

/** Method, path and JSON body of a printed command, for comparing two documents. */
export function requestOf(curl: string): { method: string; path: string; body: unknown } {
  const url = /https?:\/\/[^\s"'\\]+/.exec(curl)?.[0];
  const body = /-d '([\s\S]*)'/.exec(curl)?.[1];
  if (url === undefined) throw new Error(`no URL in: ${curl}`);
  return {
    method: /-X (\w+)/.exec(curl)?.[1] ?? "GET",
    path: new URL(url).pathname,
    body: body === undefined ? undefined : JSON.parse(body),
  };
}

const ID = /\b(ins|proj|cp|comm)_[0-9a-z]{12}\b/g;
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/;

/**
 * Compares answers with the document's, remembering which real id stands for which printed one: the same printed id
 * must be the same real one everywhere.
 */
export class AnswerComparison {
  readonly #real = new Map<string, string>();
  readonly #hosts: ReadonlyMap<string, string>;

  /** @param hosts printed origin → real origin, such as `https://api.example` → `http://localhost:3000`. */
  constructor(hosts: ReadonlyMap<string, string>) {
    this.#hosts = hosts;
  }

  /** A printed text with the real origins and the ids known so far put in. */
  toReal(text: string): string {
    let real = text;
    for (const [printed, origin] of this.#hosts) real = real.replaceAll(printed, origin);
    return real.replace(ID, (id) => this.#real.get(id) ?? id);
  }

  /** Says that a printed id is this real one (ids that did not come out of an answer). */
  learn(printed: string, real: string): void {
    this.#real.set(printed, real);
  }

  /** Every difference, as a sentence with the field's place; none: the answer is the document's. Further fields are allowed. */
  differences(printed: unknown, real: unknown, place = ""): string[] {
    if (Array.isArray(printed)) {
      if (!Array.isArray(real) || real.length !== printed.length)
        return [`${place}: want ${printed.length} entries, got ${JSON.stringify(real)}`];
      return printed.flatMap((entry, index) => this.differences(entry, real[index], `${place}/${index}`));
    }
    if (typeof printed === "object" && printed !== null) {
      if (typeof real !== "object" || real === null) return [`${place}: want an object, got ${JSON.stringify(real)}`];
      return Object.entries(printed).flatMap(([name, value]) =>
        name in real
          ? this.differences(value, (real as Record<string, unknown>)[name], `${place}/${name}`)
          : [`${place}/${name}: is missing`],
      );
    }
    if (typeof printed === "string" && typeof real === "string") return this.#differentText(printed, real, place);
    return printed === real ? [] : [`${place}: want ${JSON.stringify(printed)}, got ${JSON.stringify(real)}`];
  }

  #differentText(printed: string, real: string, place: string): string[] {
    const wrong = [`${place}: want something like ${JSON.stringify(printed)}, got ${JSON.stringify(real)}`];
    if (TIMESTAMP.test(printed)) return TIMESTAMP.test(real) ? [] : wrong;
    if (place.endsWith("/access_token")) return /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/.test(real) ? [] : wrong;
    if (place.endsWith("/provisioning_password")) return /^[A-Za-z0-9-]{20}$/.test(real) ? [] : wrong;
    // The certificate's link carries a token behind the printed address.
    const bare = place.endsWith("_url") ? (real.split("?token=")[0] as string) : real;
    const ids = printed.match(ID);
    if (ids?.[0] === printed && !this.#real.has(printed)) {
      if (bare.match(ID)?.[0] !== bare || bare.split("_")[0] !== printed.split("_")[0]) return wrong;
      this.learn(printed, bare);
    }
    return this.toReal(printed) === bare ? [] : wrong;
  }
}
