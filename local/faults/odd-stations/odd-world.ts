import { stationOwner } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { FaultySystem, Fleet, Member, StationCredentials } from "../contract.ts";
import { connectOdd, type OddSettings, type OddStation } from "./odd-station.ts";

/** The origin of a gateway, or of a way to one. */
export const originOf = ({ port }: { port: number }): string => `ws://127.0.0.1:${port}`;

/** As a breach: what could be wrong, in words; nothing where it is not. */
export const unless = (holds: boolean, breach: string): string[] => (holds ? [] : [breach]);

/** Whether every station of a fleet is connected. */
export async function allIn(fleet: Fleet): Promise<boolean> {
  const { stations, connected } = await fleet.stats();
  return stations === connected;
}

/** Median of numbers, and the largest: what is told of durations. NaN where there are none. */
export function typical(values: readonly number[]): { median: number; max: number } {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: sorted[Math.floor(sorted.length / 2)] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/** Works through all items, so many at a time. */
export async function severalAtATime<T, R>(
  items: readonly T[],
  count: number,
  work: (item: T, at: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < items.length; from += count)
    results.push(...(await Promise.all(items.slice(from, from + count).map((item, at) => work(item, from + at)))));
  return results;
}

/** Connects a station that must get in. */
export async function mustConnect(settings: OddSettings): Promise<OddStation> {
  const connected = await connectOdd(settings);
  if (!connected.ok) throw new Error(`${settings.credentials.identity} was refused: ${connected.error}`);
  return connected.value;
}

interface Owner {
  /** The gateway's name; undefined: nobody holds the station. */
  gateway: string | undefined;
  epoch: number;
}

/** Who holds a station by Redis. */
export async function ownerOf(system: FaultySystem, identity: string): Promise<Owner> {
  const key = stationOwner(identity as StationIdentity);
  const node = await system.redis.masterOf(key);
  const [name, epoch] = (await node.command("HMGET", key, "node", "epoch")) as (string | null)[];
  // A gateway's name in Redis ends with letters of its own for each start.
  const gateway = name ? name.slice(0, name.lastIndexOf("-")) : undefined;
  return { gateway, epoch: Number(epoch ?? 0) };
}

/** The same of many. Each question has a connection of its own: all at once they are more than Redis lets wait. */
export const ownersOf = (system: FaultySystem, stations: readonly { identity: string }[]): Promise<Owner[]> =>
  severalAtATime(stations, 100, ({ identity }) => ownerOf(system, identity));

/** Presence as REST tells it. Undefined: REST did not answer. */
export async function isOnline(system: FaultySystem, identity: string): Promise<boolean | undefined> {
  const { status, body } = await system.rest("GET", `/api/v1/charge-points/${encodeURIComponent(identity)}`);
  return status === 200 ? ((body as { online: boolean | null }).online ?? undefined) : undefined;
}

export interface AskedCommand {
  /** "" when REST took none. */
  id: string;
  /** As REST told it; where it took none: the HTTP status. */
  status: string;
}

/** Sends a command to a station of 1.6 that changes nothing there, or the given one, and waits for its end. */
export async function command(
  system: FaultySystem,
  station: Pick<StationCredentials, "identity">,
  { timeoutSeconds = 20, call = ["TriggerMessage", { requestedMessage: "Heartbeat" }] as [string, object] } = {},
): Promise<AskedCommand> {
  const answer = await system.rest("POST", "/api/v1/ocpp16/send_command", {
    charge_point_id: station.identity,
    command: call[0],
    payload: call[1],
    timeout_seconds: timeoutSeconds,
  });
  const body = answer.body as { command_id?: string; status?: string } | undefined;
  if (body?.command_id === undefined) return { id: "", status: `HTTP ${answer.status}` };
  return { id: body.command_id, status: body.status ?? "" };
}

/** Runs a gateway with further variables meanwhile, and as it was afterwards. */
export async function withGateway<T>(
  gateway: Member,
  env: Record<string, string>,
  during: () => Promise<T>,
): Promise<T> {
  await gateway.stop();
  await gateway.startWith(env);
  try {
    return await during();
  } finally {
    await gateway.stop();
    await gateway.start();
  }
}
