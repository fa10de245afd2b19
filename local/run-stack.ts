import { join } from "node:path";
import { announce } from "./announce.ts";
import { checkPorts } from "./check-ports.ts";
import { startEmbeddedPostgres, startEmbeddedRedis } from "./data-servers.ts";
import { ensureFirstOrganisation, migrate } from "./first-organisation.ts";
import { FOLDERS } from "./folders.ts";
import { keepRunning } from "./keep-running.ts";
import { listPrograms } from "./programs.ts";
import { ensureSecrets } from "./secrets.ts";
import type { ServerProcess } from "./server-process.ts";
import type { StackConfig } from "./stack-config.ts";
import { openState } from "./stack-state.ts";
import { supervise, type Program, type Supervised } from "./supervisor.ts";

export interface RunningStack {
  /** Resolves when everything is ready: undefined; or when something did not start and the rest is stopped: the reason. */
  started: Promise<string | undefined>;
  /** Resolves when nothing runs any more. */
  ended: Promise<void>;
  /** Stops everything in order. Twice is once. */
  stop(reason: string): Promise<void>;
}

interface Deps {
  say(line: string): void;
  /** What to tell the person. */
  howToEnd: string;
}

/** Starts everything in the order in which it is needed, and keeps it running. */
export function runStack(config: StackConfig, deps: Deps): RunningStack {
  const state = openState(FOLDERS.state);
  const parts: { name: string; stop(): Promise<unknown> }[] = [];
  const end = Promise.withResolvers<void>();
  let stopping: Promise<void> | undefined;

  const bringUp = async (): Promise<void> => {
    await checkPorts(config);
    const secrets = await ensureSecrets(FOLDERS.secrets);
    const databaseUrl =
      config.databaseUrl ??
      (
        await embedded("postgres", "Postgres", "SIGINT", (port) =>
          startEmbeddedPostgres(secrets.postgresPassword, port),
        )
      ).databaseUrl;
    const redisUrl =
      config.redisUrl ??
      (await embedded("redis", "Redis", "SIGTERM", (port) => startEmbeddedRedis(secrets.redisPassword, deps.say, port)))
        .url;
    const programs = await listPrograms(config, { databaseUrl, redisUrl, secretFiles: secrets.variables }, process.env);
    if (programs.mailSink) await start(programs.mailSink);

    deps.say("migrating the database");
    await migrate(programs.commandEnv);
    const where = {
      api_url: config.publicApiUrl,
      ocpp_urls: config.gatewayPorts.map((port) => `ws://localhost:${port}`),
      mail_url: config.smtpUrl === undefined ? `http://localhost:${config.mailPort}` : null,
      postgres_url: databaseUrl,
      redis_url: redisUrl,
    };
    const { credentials, isNew } = await ensureFirstOrganisation(config.firstOrganisation, where, programs.commandEnv);

    deps.say("starting the control plane");
    const controlPlane = await startAll(programs.controlPlane);
    deps.say(`starting ${programs.gateways.length} gateway nodes`);
    const gateways = await startAll(programs.gateways);
    if (stopping) return;
    state.setPhase("ready");
    deps.say(announce(credentials, isNew, [...controlPlane, ...gateways], deps.howToEnd));
  };

  /** A data server. When it dies it comes back with its port and data: our processes ride out its absence. */
  const embedded = async <T extends ServerProcess & { port: number }>(
    name: string,
    title: string,
    endSignal: NodeJS.Signals,
    begin: (port: number | undefined) => Promise<T>,
  ): Promise<T> => {
    deps.say(`starting ${title}`);
    const { first, stop } = await keepRunning<T>({
      name,
      logFile: join(FOLDERS.logs, `${name}.log`),
      async start(previous) {
        const server = await begin(previous?.port);
        state.started(name, server.pid);
        return server;
      },
      stop: (current) => current.stop(endSignal, 30_000),
      say: deps.say,
    });
    parts.push({ name, stop });
    return first;
  };

  const start = async (program: Program): Promise<Supervised> => {
    if (stopping) throw new Error("stopped");
    const part = await supervise(program, {
      root: FOLDERS.root,
      logs: FOLDERS.logs,
      say: deps.say,
      onStart: (name, pid) => state.started(name, pid),
      onEnd: (name) => state.ended(name),
      isStopping: () => stopping !== undefined,
    });
    parts.push(part);
    return part;
  };

  /** Waits for all, also after one has failed: what comes up late has to be stopped, too. */
  const startAll = async (programs: Program[]): Promise<Supervised[]> => {
    const outcomes = await Promise.allSettled(programs.map(start));
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed) throw failed.reason;
    return outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  };

  const broughtUp = bringUp();

  const stopAll = (reason: string | undefined): Promise<void> =>
    (stopping ??= (async () => {
      if (reason) deps.say(reason);
      state.setPhase("stopping");
      await broughtUp.catch(() => {}); // what is being started is in `parts`, or gone, afterwards
      for (const part of parts.toReversed()) {
        deps.say(`stopping ${part.name}`);
        await part.stop().catch((cause: unknown) => deps.say(`${part.name}: ${String(cause)}`));
        state.ended(part.name);
      }
      state.close();
      end.resolve();
    })());

  const started = broughtUp.then(
    () => undefined,
    async (cause: unknown) => {
      const wasAsked = stopping !== undefined;
      await stopAll(undefined);
      if (wasAsked) return "stopped before it was ready";
      return cause instanceof Error ? cause.message : String(cause);
    },
  );
  return { started, ended: end.promise, stop: stopAll };
}
