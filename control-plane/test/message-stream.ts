/** One event of a message stream. */
export interface StreamedEvent {
  id: string;
  event: string;
  // oxlint-disable-next-line no-explicit-any -- tests look into events and fail when these are not as expected
  data: any;
}

/** A client of `…/messages/stream`; resolves when the server has begun to follow. Rejects when it refuses. */
export async function openStream(messagesUrl: string, key: string, headers: Record<string, string> = {}) {
  const leaving = new AbortController();
  const response = await fetch(`${messagesUrl}/stream`, {
    headers: { authorization: `Bearer ${key}`, ...headers },
    signal: leaving.signal,
  });
  if (response.status !== 200 || response.body === null) throw new Error(`refused with ${response.status}`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";

  /** The next event; comments are left out. Undefined: the stream has ended. */
  async function next(): Promise<StreamedEvent | undefined> {
    for (;;) {
      const end = rest.indexOf("\n\n");
      if (end === -1) {
        const { value, done } = await reader.read();
        if (done) return undefined;
        rest += value;
        continue;
      }
      const fields = new Map(
        rest
          .slice(0, end)
          .split("\n")
          .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
      );
      rest = rest.slice(end + 2);
      const data = fields.get("data");
      if (data !== undefined)
        return { id: fields.get("id") ?? "", event: fields.get("event") ?? "", data: JSON.parse(data) };
    }
  }

  return {
    /** Waits for so many events. */
    async take(count: number): Promise<StreamedEvent[]> {
      const taken: StreamedEvent[] = [];
      while (taken.length < count) {
        const event = await next();
        if (event === undefined) throw new Error(`the stream ended after ${taken.length} events`);
        taken.push(event);
      }
      return taken;
    },
    async untilEnd(): Promise<StreamedEvent[]> {
      const taken: StreamedEvent[] = [];
      for (let event = await next(); event !== undefined; event = await next()) taken.push(event);
      return taken;
    },
    close: () => leaving.abort(),
  };
}
