/** Where progress is shown: stderr. */
interface Screen {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

export interface Progress {
  /** So many are done by now. */
  at(done: number): void;
  /** The last word: no more is to come. */
  end(): void;
}

const BAR_WIDTH = 30;
/** A terminal is drawn anew no more often than this. */
const REDRAW_MS = 100;
/** Elsewhere, such as in a log, a line each tenth of the way, and while that takes long one each half a minute. */
const LINE_SHARE = 0.1;
const LINE_MS = 30_000;

/**
 * Shows how far something long has come: a bar on a terminal, a line now and then where there is none.
 * @param what in the words of "1,000 of 20,000 charge points imported"
 */
export function showProgress(
  { total, what }: { total: number; what: string },
  screen: Screen = process.stderr,
  nowMs: () => number = Date.now,
): Progress {
  const beganMs = nowMs();
  let shown = { done: 0, atMs: beganMs };
  let done = 0;
  const draw = () => {
    const atMs = nowMs();
    const text = textOf({ done, total, what, seconds: (atMs - beganMs) / 1_000 });
    if (screen.isTTY === true) screen.write(`\r${barOf(done / total)} ${text}\u001B[K`.slice(0, widthOf(screen)));
    else screen.write(`${text}\n`);
    shown = { done, atMs };
  };
  return {
    at(count) {
      done = count;
      const passedMs = nowMs() - shown.atMs;
      const isDue =
        screen.isTTY === true ? passedMs >= REDRAW_MS : done - shown.done >= LINE_SHARE * total || passedMs >= LINE_MS;
      if (isDue) draw();
    },
    end() {
      if (shown.done !== done) draw();
      if (screen.isTTY === true) screen.write("\n");
    },
  };
}

/** A line that is longer than the terminal is wide would be drawn below itself. */
const widthOf = ({ columns = 80 }: Screen): number => Math.max(20, columns);

function barOf(share: number): string {
  const full = Math.round(Math.min(1, share) * BAR_WIDTH);
  return `[${"#".repeat(full)}${".".repeat(BAR_WIDTH - full)}]`;
}

function textOf({
  done,
  total,
  what,
  seconds,
}: {
  done: number;
  total: number;
  what: string;
  seconds: number;
}): string {
  const perSecond = seconds > 0 ? done / seconds : 0;
  const left = perSecond > 0 && done < total ? `, ${timeOf((total - done) / perSecond)} left` : "";
  return `${number(done)} of ${number(total)} ${what}, ${number(perSecond)}/s${left}`;
}

const number = (value: number): string => Math.round(value).toLocaleString("en-GB");

const timeOf = (seconds: number): string =>
  seconds < 90
    ? `${Math.ceil(seconds)} s`
    : seconds < 5_400
      ? `${Math.ceil(seconds / 60)} min`
      : `${(seconds / 3_600).toFixed(1)} h`;
