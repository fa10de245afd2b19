// Loaded in front of a process of the product (`--import`): names of Services lead to where this machine runs their pods, as the
// cluster's DNS would. The names come with the address of this module.
import dns from "node:dns";

type Answer = (error: Error | null, address: unknown, family?: number) => void;

const addresses = JSON.parse(new URL(import.meta.url).searchParams.get("hosts") ?? "{}") as Record<string, string>;
const { lookup } = dns;
const lookupLater = dns.promises.lookup;
const own = (name: unknown) => addresses[String(name)];

dns.lookup = ((name: string, ...rest: unknown[]) => {
  const address = own(name);
  if (address === undefined) return (lookup as (...args: unknown[]) => void)(name, ...rest);
  const options = rest.length > 1 ? (rest[0] as { all?: boolean }) : {};
  const done = rest.at(-1) as Answer;
  process.nextTick(() => (options.all === true ? done(null, [{ address, family: 4 }]) : done(null, address, 4)));
}) as typeof dns.lookup;

dns.promises.lookup = (async (name: string, options?: { all?: boolean }) => {
  const address = own(name);
  if (address === undefined) return lookupLater(name, options ?? {});
  return options?.all === true ? [{ address, family: 4 }] : { address, family: 4 };
}) as typeof dns.promises.lookup;
