// Loaded into a process of the product by NODE_OPTIONS (`failpointEnvironment`), in front of its own code: breaks it at one
// place that no signal from outside would hit. Waits for SIGPWR (SIGUSR2 is the product's own); the product itself knows nothing of it.

import { Redis } from "ioredis";
import pg from "pg";

type Query = (this: pg.Client, ...args: unknown[]) => unknown;

const [name, argument] = (process.env["FAILPOINT"] ?? "").split(":");
let armed = false;
process.on("SIGPWR", () => {
  if (name === "block-loop") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(argument) * 1_000);
  else armed = !armed;
});

const die = () => {
  if (armed) process.kill(process.pid, "SIGKILL");
};

if (name === "before-xadd" || name === "after-xadd") {
  const send = Redis.prototype.sendCommand;
  Redis.prototype.sendCommand = function sendCommand(this: Redis, command, stream) {
    if (command.name.toLowerCase() === "xadd") {
      if (name === "before-xadd") die();
      else {
        // Before whoever waits for the reply: nothing of this entry is answered.
        const { resolve } = command;
        command.resolve = (reply) => {
          die();
          resolve(reply);
        };
      }
    }
    return send.call(this, command, stream);
  };
}

if (name === "poison") {
  const query = pg.Client.prototype.query as unknown as Query;
  const patched: Query = function patched(this: pg.Client, ...args) {
    // As a value that the server cannot take, whoever looks at it: a data exception, each time.
    const [first] = args;
    const { text, values } = (typeof first === "string" ? { text: first, values: args[1] } : first) as {
      text?: string;
      values?: unknown;
    };
    const writes = text?.startsWith("insert into connector_status") === true;
    return writes && JSON.stringify(values).includes(argument as string)
      ? query.call(this, "select 1 / 0")
      : query.apply(this, args);
  };
  pg.Client.prototype.query = patched as unknown as pg.Client["query"];
}

if (name?.endsWith("-commit") || name === "refuse-statements") {
  const deadly = name !== "refuse-statements";
  const query = pg.Client.prototype.query as unknown as Query;
  const inTransaction = new WeakSet<pg.Client>();
  const marked = new WeakSet<pg.Client>();
  const patched: Query = function patched(this: pg.Client, ...args) {
    const [first] = args;
    const text = (typeof first === "string" ? first : ((first as { text?: string } | undefined)?.text ?? "")).trim();
    const word = text.slice(0, 8).toLowerCase();
    if (word.startsWith("begin")) inTransaction.add(this);
    if (deadly && (argument === undefined || text.includes(argument))) marked.add(this);
    // A statement without a transaction around it is one by itself.
    if (armed && deadly && argument !== undefined && text.includes(argument) && !inTransaction.has(this)) {
      if (name === "before-commit") die();
      // A pool hands a callback.
      const callback = args.at(-1) as (fault: unknown, result: unknown) => void;
      const withDeath = (fault: unknown, result: unknown) => {
        if (fault === null || fault === undefined) die();
        callback(fault, result);
      };
      return query.apply(this, typeof callback === "function" ? [...args.slice(0, -1), withDeath] : args);
    }
    const ends = word.startsWith("commit") || word.startsWith("rollback");
    if (ends) inTransaction.delete(this);
    if (!deadly) {
      // A COPY is told of its end in another way than the rest, and there are enough others.
      const refused = armed && inTransaction.has(this) && !/^(begin|savepoin|release|set|copy)/i.test(word);
      return refused && Math.random() < Number(argument) / 100 ? refuse(this, query) : query.apply(this, args);
    }
    if (!word.startsWith("commit") || !marked.has(this)) return query.apply(this, args);
    marked.delete(this);
    if (name === "before-commit") die();
    const result = query.apply(this, args);
    if (name === "after-commit") void (result as Promise<unknown>).then(die, () => {});
    return result;
  };
  pg.Client.prototype.query = patched as unknown as pg.Client["query"];
}

/** What the server itself says when two transactions cannot both go on. */
function refuse(client: pg.Client, query: Query): unknown {
  const code = Math.random() < 0.5 ? "40P01" : "40001";
  return query.call(client, `do $$ begin raise exception using errcode = '${code}', message = 'failpoint'; end $$`);
}
