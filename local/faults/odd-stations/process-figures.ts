import type { Member } from "../contract.ts";
import { mebibytes } from "./kept-memory.ts";
import { medianOf, robustGrowth, type Point } from "./robust-slope.ts";

/** What is watched of a process while it works. */
const FIGURES = ["resident", "heap", "descriptors", "resources", "loopLagMs"] as const;
type Figure = (typeof FIGURES)[number];
/** One look; a figure that the process did not tell is missing. */
export type Look = Partial<Record<Figure, number>>;

/**
 * What a figure may grow by, over two thirds of the time: 5 % or this much, whatever is more. In 40 minutes at 600 messages a
 * second 8 MiB of heap are 6 bytes of each message, 48 MiB of resident memory 35: less is the noise of collectors and
 * allocators, which keep or give back that much from one minute to the next.
 */
const LEAST_GROWTH: Record<Figure, number> = {
  resident: 48 * 2 ** 20,
  heap: 8 * 2 ** 20,
  descriptors: 10,
  resources: 50,
  loopLagMs: 50,
};
const GROWTH_SHARE = 0.05;

/** Looks at a process by its metrics. */
export async function lookAt(member: Member): Promise<Look> {
  // First: it covers the time since the last look, and starts anew with each.
  const lagSeconds =
    member.kind === "gateway"
      ? await member.metric("ocpp_event_loop_lag_seconds")
      : await member.metric("nodejs_eventloop_lag_p99_seconds");
  const open = await member.metric("process_open_fds");
  const connections = member.kind === "gateway" ? ((await member.metric("ocpp_connections")) ?? 0) : 0;
  const look: Record<Figure, number | undefined> = {
    resident: await member.metric("process_resident_memory_bytes"),
    heap: await member.metric("nodejs_heap_size_used_bytes"),
    descriptors: open === undefined ? undefined : open - connections,
    resources: await member.metric("nodejs_active_resources_total"),
    loopLagMs: lagSeconds === undefined ? undefined : lagSeconds * 1_000,
  };
  return Object.fromEntries(Object.entries(look).filter(([, value]) => value !== undefined));
}

/** The looks' values of one figure. @param looks each with its time, in seconds */
export function seriesOf(looks: readonly { at: number; look: Look }[], figure: Figure): Point[] {
  return looks.flatMap(({ at, look }) => (look[figure] === undefined ? [] : [{ at, value: look[figure] }]));
}

/** Undefined: the figure is flat over the last two thirds of its series; else how it is not, in words. */
export function whyNotFlat(series: readonly Point[], least: number): string | undefined {
  const settled = series.slice(Math.floor(series.length / 3));
  if (settled.length < 2) return "was not told";
  const growth = robustGrowth(settled);
  const most = Math.max(least, GROWTH_SHARE * medianOf(settled.map(({ value }) => value)));
  return growth <= most
    ? undefined
    : `grows by ${growth.toPrecision(3)}, at most ${most.toPrecision(3)} would be noise`;
}

/** What is not flat of a process, in words. */
export function notFlat(name: string, looks: readonly { at: number; look: Look }[]): string[] {
  return FIGURES.flatMap((figure) => {
    const why = whyNotFlat(seriesOf(looks, figure), LEAST_GROWTH[figure]);
    return why === undefined ? [] : [`${name}: ${figure} ${why}`];
  });
}

/** A line of figures: the medians of the first and of the last third. */
export function tellThirds(name: string, looks: readonly { at: number; look: Look }[]): string {
  const third = Math.ceil(looks.length / 3);
  const tell = (figure: Figure, show: (value: number) => string) => {
    const median = (part: readonly { at: number; look: Look }[]) =>
      show(medianOf(seriesOf(part, figure).map(({ value }) => value)));
    return `${figure} ${median(looks.slice(0, third))} → ${median(looks.slice(-third))}`;
  };
  const count = (value: number) => value.toFixed(0);
  return `${name}: ${tell("resident", mebibytes)}, ${tell("heap", mebibytes)}, ${tell("descriptors", count)}, ${tell("resources", count)}, ${tell("loopLagMs", (value) => value.toFixed(1))}`;
}
