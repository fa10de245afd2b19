import type { Cluster } from "./cluster.ts";

export interface Schema {
  type?: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: unknown;
  anyOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
  items?: Schema;
}

/** One operation of the OpenAPI document, as far as a sweep over all of them needs it. */
export interface Operation {
  id: string;
  method: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  path: string;
  access: "public" | "installer" | "organization";
  /** What an API key needs for it; undefined where none is asked for. */
  scope: string | undefined;
  pathParameters: string[];
  query: { name: string; required: boolean }[];
  body: { schema: Schema; example: Record<string, unknown> } | undefined;
  /** The statuses that the document announces. */
  statuses: number[];
}

interface Document {
  paths: Record<string, Record<string, DocumentedOperation>>;
  components: { schemas: { Problem: { properties: { code: { enum: string[] } }; required: string[] } } };
}
interface DocumentedOperation {
  operationId: string;
  security: Record<string, string[]>[];
  parameters: { name: string; in: string; required: boolean }[];
  requestBody?: { content: { "application/json": { schema: Schema; example?: Record<string, unknown> } } };
  responses: Record<string, unknown>;
}

/** Reads every operation from the running API's own document, and the problem codes that it announces. */
export async function readOperations(cluster: Cluster): Promise<{ operations: Operation[]; codes: string[] }> {
  const document = (await (await fetch(`${cluster.apiUrl}/openapi.json`)).json()) as Document;
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, documented]) => toOperation(path, method, documented)),
  );
  return { operations, codes: document.components.schemas.Problem.properties.code.enum };
}

function toOperation(path: string, method: string, documented: DocumentedOperation): Operation {
  const [scheme] = documented.security.flatMap(Object.keys);
  const [scope] = documented.security.flatMap((one) => Object.values(one).flat());
  const media = documented.requestBody?.content["application/json"];
  const parameters = (where: string) => documented.parameters.filter((parameter) => parameter.in === where);
  return {
    id: documented.operationId,
    method: method.toUpperCase() as Operation["method"],
    path,
    access: scheme === undefined ? "public" : scheme === "accessToken" ? "installer" : "organization",
    scope,
    pathParameters: parameters("path").map(({ name }) => name),
    query: parameters("query").map(({ name, required }) => ({ name, required })),
    body: media === undefined ? undefined : { schema: media.schema, example: media.example ?? {} },
    statuses: Object.keys(documented.responses).map(Number),
  };
}

/** The operation's path with its parameters filled in. Throws for a parameter without a value: a new kind of id must be taught here. */
export function fillPath({ id, path }: Operation, values: Record<string, string>): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${id}: no value for the path parameter ${name}`);
    return encodeURIComponent(value);
  });
}
