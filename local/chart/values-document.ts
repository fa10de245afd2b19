import { isMap, isScalar, parseDocument, type Pair, type YAMLMap } from "yaml";

type Schema = Record<string, unknown>;

interface Value {
  /** `gateway.drain.commandSeconds` */
  path: string;
  /** As JSON. */
  fallback: string;
  about: string;
}

interface Comment {
  about: string;
  schema: Schema;
  inherits?: string;
}

/**
 * What values.yaml says of itself: a row for each value, and the schema that Helm checks a person's values against. A value
 * is what has a comment that begins with `--`; a map without one is a part.
 *
 * @throws when a value has no comment, or a comment that cannot be read
 */
export function readValues(text: string): { values: Value[]; schema: Schema } {
  const document = parseDocument(text);
  const values: Value[] = [];
  const parts = new Map<string, Schema>();
  const top = schemaOf(document.contents as unknown as YAMLMap, "", values, parts);
  return { values, schema: { $schema: "http://json-schema.org/draft-07/schema#", title: "dynamo-csms", ...top } };
}

function schemaOf(map: YAMLMap, path: string, values: Value[], parts: Map<string, Schema>): Schema {
  const properties: Record<string, Schema> = {};
  map.items.forEach((item, index) => {
    const { key, value } = item as Pair<{ value: string; commentBefore?: string }, unknown>;
    const name = key.value;
    const at = path === "" ? name : `${path}.${name}`;
    // The first key's comment belongs to its map, for the parser.
    const comment = readComment(key.commentBefore ?? (index === 0 ? (map.commentBefore ?? "") : ""), at);
    if (comment.about === "" && isMap(value)) {
      const own = schemaOf(value, at, values, parts);
      const inherited = comment.inherits === undefined ? {} : parts.get(comment.inherits)?.["properties"];
      properties[name] = { ...own, properties: { ...(inherited as object), ...(own["properties"] as object) } };
      parts.set(name, properties[name]);
      return;
    }
    if (comment.about === "") throw new Error(`values.yaml: ${at} has no comment that begins with --`);
    const fallback: unknown = isScalar(value) ? value.value : (value as { toJSON(): unknown }).toJSON();
    values.push({ path: at, fallback: JSON.stringify(fallback), about: comment.about });
    properties[name] = { description: comment.about, ...implied(fallback), ...comment.schema };
  });
  // `helm` itself hands `global` on to charts that this one may be a part of.
  const others = path === "global" ? {} : { additionalProperties: false };
  return { type: "object", properties, ...others };
}

function implied(fallback: unknown): Schema {
  if (Array.isArray(fallback)) return { type: "array" };
  if (Number.isInteger(fallback)) return { type: "integer" };
  return { type: fallback === null ? "null" : typeof fallback };
}

function readComment(text: string, at: string): Comment {
  const comment: Comment = { about: "", schema: {} };
  // What lies above an empty line is about more than this key.
  for (const line of (text.split(/\n\s*\n/).at(-1) ?? "").split("\n").map((raw) => raw.trim())) {
    if (line.startsWith("-- ")) comment.about = line.slice(3);
    else if (line.startsWith("@inherits ")) comment.inherits = line.slice(10);
    else if (line.startsWith("@schema "))
      try {
        comment.schema = JSON.parse(line.slice(8)) as Schema;
      } catch (cause) {
        throw new Error(`values.yaml: the @schema of ${at} is not JSON`, { cause });
      }
  }
  return comment;
}

/** The rows as a table of Markdown. */
export function valuesTable(values: readonly Value[]): string {
  const rows = values.map(({ path, fallback, about }) => `| \`${path}\` | \`${fallback}\` | ${about} |`);
  return ["| value | default | what |", "|---|---|---|", ...rows].join("\n").replaceAll("\\|", "\\\\|");
}
