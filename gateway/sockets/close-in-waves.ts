interface Closable {
  readonly open: boolean;
  /** Frames received and not yet answered. */
  readonly waitingFrames: number;
  close(code: 1012, reason: string): void;
}

interface Deps<S extends Closable> {
  /** Asked at each wave: handshakes that were under way may still have opened one. */
  sessions(): S[];
  /** Whether a CALL of ours waits for this station's answer. */
  isCalled(session: S): boolean;
  /** Until then, by `nowMs`, such connections are left open; then `callsEnd` is called, once, and nobody is asked any more. */
  callsEndAtMs: number;
  callsEnd(): void;
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
 * deadline asks for it, in random order and at uneven times. A session with frames still being answered goes last, and one whose
 * answer to a CALL of ours is awaited goes when it has come: commands are carried out until their connection closes.
 */
export async function closeInWaves<S extends Closable>(deps: Deps<S>): Promise<void> {
  const { endsAtMs, nowMs, closesPerSecond, callsEndAtMs } = deps;
  let callsEnded = false;
  // A wave is what the time since the last one is worth, so that the rate holds however long a pause was.
  let allowed = (closesPerSecond * WAVE_MS) / 1_000;
  for (;;) {
    const open = deps.sessions().filter((session) => session.open);
    if (open.length === 0) return;
    const startedAtMs = nowMs();
    if (!callsEnded && startedAtMs >= callsEndAtMs) {
      callsEnded = true;
      deps.callsEnd();
    }
    const leftMs = endsAtMs - startedAtMs;
    const wavesLeft = Math.max(1, Math.floor(leftMs / WAVE_MS));
    // At what is left of the time even the given rate would be too slow.
    const needed = open.length > (closesPerSecond * leftMs) / 1_000 ? Math.ceil(open.length / wavesLeft) : 0;
    const isReady = (session: S) => session.waitingFrames === 0 && (callsEnded || !deps.isCalled(session));
    const ready = leftMs <= WAVE_MS ? open : open.filter(isReady);
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
