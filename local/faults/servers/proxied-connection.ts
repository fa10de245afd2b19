import { connect, type Socket } from "node:net";

/** What is done to the bytes of a way now: shared by all of its connections. */
export interface Traffic {
  /** Nothing passes: nothing is read, nothing is written. */
  held: boolean;
  latencyMs: number;
  /** Per connection and direction. */
  bytesPerSecond: number | undefined;
  /** Connections to be cut after a request; shared by all ways that it was ordered for. The pattern is in lower case. */
  strike: { pattern: string; left: number; done: number } | undefined;
}

/** So much waits in a slowed direction before no more is read from its sender. */
const MOST_QUEUED_BYTES = 1 << 20;
/** How finely a limited rate is spread. */
const TICK_MS = 50;
/** A server has this long to read a request whose connection is cut behind it. */
const LINGER_MS = 5_000;

/** One connection through a way: the client's socket and the one to the server. */
export interface ProxiedConnection {
  /** The traffic's settings changed. */
  update(): void;
  /** RST on both sides. */
  cut(): void;
}

/**
 * Joins a client to the first of the targets that takes it. A client that none takes is reset, as an address where nobody
 * listens would do.
 *
 * @param client not read from yet, and half-open allowed
 * @param over called once, when both sockets are closed
 */
export function proxyConnection(
  client: Socket,
  targets: readonly number[],
  traffic: Traffic,
  over: () => void,
): ProxiedConnection {
  let server: Socket | undefined;
  let upwards: Direction | undefined;
  let downwards: Direction | undefined;
  let begun = false;
  let struck = false;
  const clientSide = { closed: false, broken: false };
  const serverSide = { closed: false, broken: false };

  /** A side that broke off instead of ending breaks the other, unless nothing passes: then once it does again. */
  const passBreakOn = () => {
    if (traffic.held || struck) return;
    if (clientSide.broken && !serverSide.closed) server?.resetAndDestroy();
    if (serverSide.broken && !clientSide.closed) client.resetAndDestroy();
  };
  const closed = () => {
    passBreakOn();
    if (clientSide.closed && (serverSide.closed || server === undefined)) over();
  };
  client.setNoDelay(true);
  client.on("error", () => {}); // "close" follows
  client.on("close", (failed) => {
    clientSide.closed = true;
    clientSide.broken = failed || !client.readableEnded;
    closed();
  });

  const strike = (chunk: Buffer) => {
    struck = true;
    downwards?.drop();
    client.resetAndDestroy();
    // FIN instead of RST: with an RST the server's kernel throws away what it has not read yet.
    server?.end(chunk);
    setTimeout(() => server?.destroy(), LINGER_MS).unref();
  };

  const join = (next: number) => {
    const port = targets[next];
    if (port === undefined || clientSide.closed) {
      client.resetAndDestroy();
      return closed();
    }
    const attempt = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    server = attempt;
    let connected = false;
    attempt.on("error", () => {}); // "close" follows
    attempt.on("close", (failed) => {
      if (!connected) {
        server = undefined;
        return join(next + 1);
      }
      serverSide.closed = true;
      serverSide.broken = failed || !attempt.readableEnded;
      closed();
    });
    attempt.on("connect", () => {
      connected = true;
      upwards = direction(client, attempt, traffic, matcher(traffic), strike);
      downwards = direction(attempt, client, traffic, undefined, () => {});
      passBreakOn();
    });
  };
  const begin = () => {
    if (begun || traffic.held) return;
    begun = true;
    join(0);
  };
  begin();
  return {
    update() {
      begin();
      passBreakOn();
      upwards?.update();
      downwards?.update();
    },
    cut() {
      client.resetAndDestroy();
      server?.resetAndDestroy();
    },
  };
}

/** Says for each chunk in turn whether the pattern that is armed now ends in it, and counts the hit. */
function matcher(traffic: Traffic): (chunk: Buffer) => boolean {
  let before = "";
  return (chunk) => {
    const { strike } = traffic;
    if (strike === undefined || strike.left === 0) return false;
    const seen = before + chunk.toString("latin1").toLowerCase();
    before = seen.slice(Math.max(0, seen.length - strike.pattern.length + 1));
    if (!seen.includes(strike.pattern)) return false;
    strike.left -= 1;
    strike.done += 1;
    return true;
  };
}

interface Direction {
  update(): void;
  /** Nothing more is passed on. */
  drop(): void;
}

/** Passes bytes on in order, no faster than the receiver takes them and than the traffic's settings allow. */
function direction(
  source: Socket,
  sink: Socket,
  traffic: Traffic,
  matches: ((chunk: Buffer) => boolean) | undefined,
  strike: (chunk: Buffer) => void,
): Direction {
  const queue: { chunk: Buffer; dueAt: number }[] = [];
  let queuedBytes = 0;
  let full = false; // the receiver has to take what it was given first
  let ended = false;
  let dropped = false;
  let timer: NodeJS.Timeout | undefined;
  let passedAt = 0;

  const pass = (chunk: Buffer) => {
    if (matches?.(chunk)) {
      dropped = true;
      return strike(chunk);
    }
    if (!sink.write(chunk)) full = true;
  };
  const wait = (ms: number) => (timer ??= setTimeout(() => ((timer = undefined), pump()), ms));
  const pump = () => {
    while (queue[0] !== undefined && !full && !traffic.held && !dropped) {
      const { chunk, dueAt } = queue[0];
      const now = performance.now();
      if (traffic.latencyMs > 0 && dueAt > now) return wait(dueAt - now);
      let allowed = chunk.length;
      if (traffic.bytesPerSecond !== undefined) {
        const since = Math.min(now - passedAt, TICK_MS * 2);
        allowed = Math.floor((traffic.bytesPerSecond * since) / 1_000);
        if (allowed < Math.min(chunk.length, (traffic.bytesPerSecond * TICK_MS) / 1_000)) return wait(TICK_MS);
        passedAt = now;
      }
      if (allowed >= chunk.length) queue.shift();
      else queue[0].chunk = chunk.subarray(allowed);
      const part = chunk.subarray(0, allowed);
      queuedBytes -= part.length;
      pass(part);
    }
    if (dropped) return;
    if (traffic.held) return source.pause();
    if (ended && queue.length === 0) return sink.end();
    if (full || queuedBytes > mostQueued(traffic)) source.pause();
    else source.resume();
  };

  source.on("data", (chunk: Buffer) => {
    if (dropped) return;
    queue.push({ chunk, dueAt: performance.now() + traffic.latencyMs });
    queuedBytes += chunk.length;
    pump();
  });
  source.on("end", () => {
    ended = true;
    pump();
  });
  sink.on("drain", () => {
    full = false;
    pump();
  });
  const drop = () => {
    dropped = true;
    clearTimeout(timer);
    queue.length = 0;
  };
  sink.on("close", drop);
  // What came before an end in order is still passed on.
  source.on("close", () => ended || drop());
  pump();
  return {
    update() {
      clearTimeout(timer);
      timer = undefined;
      pump();
    },
    drop() {
      drop();
      source.resume(); // read on, to hear of its end
    },
  };
}

function mostQueued({ bytesPerSecond }: Traffic): number {
  return bytesPerSecond === undefined ? MOST_QUEUED_BYTES : Math.min(MOST_QUEUED_BYTES, bytesPerSecond);
}
