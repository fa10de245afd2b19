const FRAME_WIDTH = 150;

/** What the demo prints: chapters, requests and answers as they happen, and OCPP frames. */
export interface Transcript {
  chapter(title: string): void;
  note(text: string): void;
  request(who: string, line: string, body: unknown): void;
  answer(line: string, body: unknown): void;
  frame(station: string, direction: "→" | "←", text: string): void;
}

/** @param colours off for files and pipes */
export function createTranscript(print: (line: string) => void, colours: boolean): Transcript {
  const paint = (code: number) => (text: string) => (colours ? `\x1b[${code}m${text}\x1b[0m` : text);
  const [bold, dim, cyan, green] = [paint(1), paint(2), paint(36), paint(32)] as const;
  let chapters = 0;
  return {
    chapter: (title) => print(`\n${bold(`${++chapters}. ${title}`)}`),
    note: (text) => print(`   ${green("✓")} ${text}`),
    request: (who, line, body) => print(`   ${cyan(who)} → ${line}${indented(body)}`),
    answer: (line, body) => print(`   ← ${line}${indented(body)}`),
    frame: (station, direction, text) =>
      print(dim(`   ${station} ${direction} ${text.length > FRAME_WIDTH ? `${text.slice(0, FRAME_WIDTH)}…` : text}`)),
  };
}

/** Secrets are shortened: transcripts are pasted into tickets. */
function indented(body: unknown): string {
  if (body === undefined) return "";
  const text = JSON.stringify(
    body,
    (name, value: unknown) =>
      typeof value === "string" && /password|token/.test(name) && value.length > 12 ? `${value.slice(0, 8)}…` : value,
    2,
  );
  return `\n${text.replace(/^/gm, "     ").replace(/(token=[\w-]{8})[\w.-]+/g, "$1…")}`;
}
