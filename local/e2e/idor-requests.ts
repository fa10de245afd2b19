import { fillPath, type Operation, type Schema } from "./openapi-operations.ts";

/** One request of a sweep: an operation, aimed at somebody else's things or at nothing of theirs. */
export interface SweepRequest {
  operation: Operation;
  path: string;
  body: string | undefined;
  /** Which places hold ids of the victim: empty for requests that name none. */
  aimedAt: string[];
  /** Ids of the victim that this request itself tells: an answer may repeat them. */
  told: string[];
}

type Ids = Record<string, string>;

/** Names that end like ids and are none of ours, or are not looked up: what stations or people call things. */
const NO_IDS = new Set([
  ...["vendor_id", "message_id", "evse_id", "transaction_id", "id_token", "group_id_token", "actor_id", "target_id"],
]);
/** Not ids of a row, but what belongs to one organisation all the same: asked for as filters. */
const TEXT_FILTERS = ["q", "id_token", "group_id_token", "vendor", "transaction_id", "actor_id", "target_id"];
/** What public addresses with a parameter that is no id are asked for. */
const PUBLIC_NAMES = { name: "nothing", code: "nothing" };

/**
 * Every way to aim an operation at the victim: all of its ids in path, body and query, and each alone among the caller's own.
 * Without a place for an id: the request as documented. Throws for a place that looks like an id and is not known: a new
 * kind of id must be taught to workingTenant, or named in NO_IDS.
 * @param own what the caller has, by the same names. @param canary a text that all of the victim's things hold.
 */
export function requestsTo(operation: Operation, victim: Ids, own: Ids, canary: string): SweepRequest[] {
  const inPath = operation.pathParameters.filter((name) => !(name in PUBLIC_NAMES));
  const inBody = idFields(operation.body?.schema);
  const inQuery = operation.query.map(({ name }) => name).filter((name) => isId(name));
  for (const name of [...inPath, ...inBody.map(singular), ...inQuery])
    if (!(name in victim)) throw new Error(`${operation.id}: ${name} is an id that the sweep does not know`);

  const places = [...inPath.map((name) => `path:${name}`), ...inBody.map((name) => `body:${name}`)];
  const aims = places.length > 1 ? [places, ...places.map((place) => [place])] : [places];
  const plain = aims.map((aimedAt) => request(operation, aimedAt, victim, own));
  const texts = operation.query.map(({ name }) => name).filter((name) => TEXT_FILTERS.includes(name));
  const filtered = [
    ...inQuery.map((name) => [name, victim[name] as string] as const),
    ...texts.map((name) => [name, canary] as const),
    ...texts.filter((name) => name === "target_id").map((name) => [name, victim["project_id"] as string] as const),
  ].map(([name, value]) => {
    const base = request(operation, inPath.length === 0 ? [] : places, victim, own);
    return {
      ...base,
      path: `${base.path}?${name}=${encodeURIComponent(value)}`,
      told: [...base.told, value],
    };
  });
  return [...plain, ...filtered];
}

function request(operation: Operation, aimedAt: string[], victim: Ids, own: Ids): SweepRequest {
  const idFor = (place: string, name: string) => {
    const id = (aimedAt.includes(place) ? victim : own)[name];
    // Callers without a thing of their own of this kind name one that nobody has.
    return id ?? `${name}-of-nobody`;
  };
  const path = fillPath(operation, {
    ...PUBLIC_NAMES,
    ...Object.fromEntries(operation.pathParameters.map((name) => [name, idFor(`path:${name}`, name)])),
    ...PUBLIC_NAMES,
  });
  const fields = idFields(operation.body?.schema).map((name): [string, unknown] => {
    const id = idFor(`body:${name}`, singular(name));
    return [name, name === singular(name) ? id : [id, own[singular(name)] ?? id]];
  });
  const body =
    operation.body === undefined
      ? undefined
      : JSON.stringify({ ...operation.body.example, ...Object.fromEntries(fields) });
  const told = aimedAt.map((place) => victim[singular(place.slice(place.indexOf(":") + 1))] as string);
  return { operation, path, body, aimedAt, told };
}

const singular = (name: string) => name.replace(/_ids$/, "_id");
const isId = (name: string) => /_ids?$/.test(name) && !NO_IDS.has(singular(name));

/** The fields of a body that hold ids. Throws for one that lies deeper than the bodies of today: `request` could not fill it. */
function idFields(schema: Schema | undefined): string[] {
  const properties = Object.entries(schema?.properties ?? {});
  for (const [name, field] of properties)
    for (const inner of [field, field.items, ...(field.anyOf ?? [])])
      if (idFields(inner).length > 0) throw new Error(`an id inside of ${name}: the sweep does not look there`);
  return properties.map(([name]) => name).filter(isId);
}
