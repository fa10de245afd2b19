import { randomUUID } from "node:crypto";
import { median } from "../arithmetic.ts";
import { postJson, startParts } from "../commands/parts.ts";
import type { Bench } from "../contract.ts";
import { startCluster } from "../../e2e/cluster.ts";
import { connectRaw } from "../../e2e/raw-station.ts";

/** Every commit waits for the disk. */
const POSTGRES = { fsync: "on", full_page_writes: "on" } as const;

/** A command over REST to a charge point and back, on an idle system, against the least that it has to do. */
export const commands: Bench = {
  id: "commands",
  title: "Command: REST to the station and back, idle system",
  async run({ repetitions, short, folder, report }) {
    const cluster = await startCluster({ RATE_LIMIT_COMMAND: "1000000/60" }, POSTGRES);
    const parts = await startParts(folder, cluster.databaseUrl, cluster.redisUrl).catch(async (cause: unknown) => {
      await cluster.close();
      throw cause;
    });
    try {
      const [credentials] = await cluster.generateStations(1, "1.6");
      const station = await connectRaw(cluster.ocppUrls[0], credentials as NonNullable<typeof credentials>, "1.6");
      station.socket.on("message", (data: Buffer) => {
        const [type, id] = JSON.parse(data.toString()) as [number, string];
        if (type === 2) station.socket.send(JSON.stringify([3, id, { status: "Unlocked" }]));
      });
      const identity = (credentials as NonNullable<typeof credentials>).identity;
      const command = async (headers: Record<string, string> = {}) => {
        const answer = await postJson(
          `${cluster.apiUrl.replace("localhost", "127.0.0.1")}/api/v1/cpo/commands/${identity}`,
          { "x-api-key": cluster.apiKey, ...headers },
          { command: "unlock_connector", parameters: { connector_id: 1 } },
        );
        if (!answer.includes('"status":"accepted"')) throw new Error(answer.slice(0, 300));
      };
      const rounds = short ? 50 : 100;
      const figures: { ours: number; keyed: number; floor: number; told: string }[] = [];
      // The first one is what code is compiled by, and counts for nobody.
      for (let n = -1; n < repetitions; n += 1) {
        // In turn, so that whatever else goes on on the machine happens to all of them.
        const [ours, keyed, post, commit, pubSub, socket] = await p50sMs(rounds, [
          () => command(),
          () => command({ "idempotency-key": randomUUID() }),
          parts.post,
          parts.commit,
          parts.pubSub,
          parts.socket,
        ]);
        const told = `POST ${ms(post)} + commit ${ms(commit)} + pub/sub ${ms(pubSub)} + socket ${ms(socket)}`;
        report(`${ms(ours)} ms, with an Idempotency-Key ${ms(keyed)} ms; ${told} ms`);
        if (n >= 0) figures.push({ ours, keyed, floor: post + commit + pubSub + socket, told });
      }
      const middle = figures.toSorted((a, b) => a.ours / a.floor - b.ours / b.floor)[figures.length >> 1];
      return [
        {
          what: "command, REST to the station and back, idle system, p50, against an empty POST, a commit, a pub/sub round trip and a socket round trip",
          figure: median(figures.map(({ ours, floor }) => ours / floor)),
          unit: "×",
          target: { atMost: 3 },
          fails: { above: 10 },
          behind: `${ms(middle?.ours)} ms (with an Idempotency-Key ${median(figures.map(({ keyed, floor }) => keyed / floor)).toFixed(1)} ×); ${middle?.told} ms`,
        },
      ];
    } finally {
      await parts.close();
      await cluster.close();
    }
  },
};

type Six<T> = [T, T, T, T, T, T];

async function p50sMs(rounds: number, done: Six<() => Promise<void>>): Promise<Six<number>> {
  const took: number[][] = done.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [at, once] of done.entries()) {
      const beganMs = performance.now();
      await once();
      took[at]?.push(performance.now() - beganMs);
    }
  }
  return took.map((times) => median(times)) as Six<number>;
}

const ms = (figure: number | undefined) => figure?.toFixed(2);
