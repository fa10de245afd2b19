interface Closable {
  readonly open: boolean;
  /** Frames received and not yet answered. */
  readonly waitingFrames: number;
  close(code: 1012, reason: string): void;
}

interface Deps {
  /** Asked at each wave: handshakes that were under way may still have opened one. */
  sessions(): Closable[];
  /** What the other nodes are to take in. */
  closesPerSecond: number;
  /** By `nowMs`; until then all are closed. */
  endsAtMs: number;
  nowMs(): number;
  pause(ms: number): Promise<void>;
  /** 0 ≤ x < 1. */
  random(): number;
}

const WAVE_MS = 100;

/**
 * Closes all sessions with 1012, spread so that the fleet does not come back as one: at the given rate, faster where the
 * deadline asks for it, in random order and at uneven times. Sessions with frames still being answered go last.
 */
export async function closeInWaves(deps: Deps): Promise<void> {
  const { endsAtMs, nowMs, closesPerSecond } = deps;
  // A wave is what the time since the last one is worth, so that the rate holds however long a pause was.
  let allowed = (closesPerSecond * WAVE_MS) / 1_000;
  for (;;) {
    const open = deps.sessions().filter((session) => session.open);
    if (open.length === 0) return;
    const startedAtMs = nowMs();
    const leftMs = endsAtMs - startedAtMs;
    const wavesLeft = Math.max(1, Math.floor(leftMs / WAVE_MS));
    // At what is left of the time even the given rate would be too slow.
    const needed = open.length > (closesPerSecond * leftMs) / 1_000 ? Math.ceil(open.length / wavesLeft) : 0;
    const ready = leftMs <= WAVE_MS ? open : open.filter((session) => session.waitingFrames === 0);
    const wave = pick(ready, Math.max(Math.floor(allowed), needed), deps.random);
    for (const session of wave) session.close(1012, "this node restarts");
    if (deps.sessions().some((session) => session.open)) await deps.pause(WAVE_MS * (0.5 + deps.random()));
    const unused = Math.max(0, Math.min(allowed - wave.length, 1));
    allowed = unused + (closesPerSecond * (nowMs() - startedAtMs)) / 1_000;
  }
}

/** `count` of the items, each as likely as the others. */
function pick<T>(items: readonly T[], count: number, random: () => number): T[] {
  const rest = [...items];
  const picked: T[] = [];
  while (picked.length < count && rest.length > 0) {
    const at = Math.floor(random() * rest.length);
    picked.push(rest[at] as T);
    rest[at] = rest.at(-1) as T;
    rest.pop();
  }
  return picked;
}
