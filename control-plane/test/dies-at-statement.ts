// Loaded into a process of the product in front of its own code (node --import): kills it before the first statement that
// begins with DIES_AT, which is a moment that no signal from outside can hit. The product knows nothing of it.
import pg from "pg";

type Query = (this: pg.Client, ...args: unknown[]) => unknown;

const diesAt = process.env["DIES_AT"] as string;
const query = pg.Client.prototype.query as unknown as Query;
const patched: Query = function patched(this: pg.Client, ...args) {
  const [first] = args;
  const text = typeof first === "string" ? first : String((first as { text?: string } | undefined)?.text);
  if (text.replaceAll(/\s+/g, " ").trim().startsWith(diesAt)) process.kill(process.pid, "SIGKILL");
  return query.apply(this, args);
};
pg.Client.prototype.query = patched as unknown as pg.Client["query"];
