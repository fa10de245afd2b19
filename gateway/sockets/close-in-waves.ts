interface Closable {
  readonly open: boolean;
  /** Frames received and not yet answered. */
  readonly waitingFrames: number;
  close(code: 1012, reason: string): void;
}

interface Deps {
  /** Asked at each wave: handshakes that were under way may still have opened one. */
  sessions(): Closable[];
  deadlineMs: number;
  nowMs(): number;
  pause(ms: number): Promise<void>;
  /** 0 ≤ x < 1. */
  random(): number;
}

/** The other nodes take the stations in at this rate. */
const CLOSES_PER_SECOND = 500;
const WAVE_MS = 100;

/**
 * Closes all sessions with 1012, spread so that the fleet does not come back as one: at 500 a second, faster where the
 * deadline asks for it, in random order. Sessions with frames still being answered go last.
 */
export async function closeInWaves(deps: Deps): Promise<void> {
  const endsAtMs = deps.nowMs() + deps.deadlineMs;
  for (;;) {
    const open = deps.sessions().filter((session) => session.open);
    if (open.length === 0) return;
    const leftMs = endsAtMs - deps.nowMs();
    const wavesLeft = Math.max(1, Math.floor(leftMs / WAVE_MS));
    const size = Math.max((CLOSES_PER_SECOND * WAVE_MS) / 1_000, Math.ceil(open.length / wavesLeft));
    const ready = leftMs <= WAVE_MS ? open : open.filter((session) => session.waitingFrames === 0);
    for (const session of pick(ready, size, deps.random)) session.close(1012, "this node restarts");
    if (deps.sessions().some((session) => session.open)) await deps.pause(WAVE_MS * (0.5 + deps.random()));
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
