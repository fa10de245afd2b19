/** An answer of the REST API: status and JSON body. */
export interface RestAnswer {
  status: number;
  body: Record<string, unknown>;
  headers: Headers;
}

/** Sends one request with JSON both ways. Never throws for a status. */
export async function rest(
  method: "GET" | "POST" | "PATCH" | "DELETE",
  url: string,
  token: string | undefined,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<RestAnswer> {
  const response = await fetch(url, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    body: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>),
    headers: response.headers,
  };
}
