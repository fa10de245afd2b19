import { BadConfiguration } from "@dynamo-csms/proto/process/bad-configuration";
import { type Environment, EnvironmentReader } from "@dynamo-csms/proto/process/environment";
import { LOG_LEVELS, type LogLevel } from "@dynamo-csms/proto/process/logger";
import { readRedisTarget, type RedisTarget } from "@dynamo-csms/proto/process/redis-target";
import { readTracingSettings, type TracingSettings } from "@dynamo-csms/proto/process/tracing-settings";
import { parseSecretsKey, type SecretsKey } from "@dynamo-csms/proto/sealed-secret";
import { parsePeppers, type Peppers } from "@dynamo-csms/proto/station-password";

/** What every process of the control plane is told. */
export interface SharedConfig {
  databaseUrl: string;
  redis: RedisTarget;
  secretsKey: SecretsKey;
  logLevel: LogLevel;
  internalHost: string;
  internalPort: number;
  /** Must stay below the pod's terminationGracePeriodSeconds. */
  shutdownDeadlineMs: number;
  production: boolean;
  /** The release that an image was built from. */
  buildVersion: string;
  /** Undefined: nothing is traced. */
  tracing: TracingSettings | undefined;
}

/**
 * The control plane's view of the environment: collects mistakes while reading, `finish` throws them all at once.
 * A getter that could not read returns a value that is never used, because `finish` throws.
 */
export class ConfigReader {
  readonly #read: EnvironmentReader;

  constructor(env: Environment, readFile: (path: string) => string) {
    this.#read = new EnvironmentReader(env, readFile);
  }

  get mistakes(): string[] {
    return this.#read.mistakes;
  }

  text(name: string, fallback: string): string {
    return this.#read.text(name) ?? fallback;
  }

  optional(name: string): string | undefined {
    return this.#read.text(name);
  }

  /** NAME or the content of the file in NAME_FILE; undefined when neither is set. */
  secret(name: string): string | undefined {
    return this.#read.secret(name);
  }

  /** NAME or NAME_FILE through a parser that throws its reason; not set is a mistake. */
  required<T>(name: string, want: string, parse: (text: string) => T): T {
    return this.#read.required(name, this.#read.secret(name), parse, want) as T;
  }

  integer(name: string, fallback: number, min: number, max: number): number {
    return this.#read.integer(name, fallback, min, max);
  }

  durationMs(name: string, fallbackMs: number, minMs: number, maxMs: number): number {
    return this.#read.durationMs(name, fallbackMs, minMs, maxMs);
  }

  choice<T extends string>(name: string, fallback: T, choices: readonly T[]): T {
    return this.#read.choice(name, fallback, choices);
  }

  boolean(name: string, fallback: boolean): boolean {
    return this.#read.choice(name, fallback ? "true" : "false", ["true", "false"]) === "true";
  }

  /** An address without trailing slash, of one of these schemes (`["http:", "https:"]`). */
  url(name: string, protocols: readonly string[]): string {
    return this.required(name, `a URL (${protocols.join(" or ")})`, (text) => {
      if (!URL.canParse(text) || !protocols.includes(new URL(text).protocol))
        throw new Error(`want a URL (${protocols.join(" or ")})`);
      return text.replace(/\/+$/, "");
    });
  }

  peppers(): Peppers {
    return this.required("STATION_PEPPERS", "id:base64 with at least 32 bytes, separated by commas", parsePeppers);
  }

  databaseUrl(): string {
    return this.required("DATABASE_URL", "postgres://user:password@host:port/database", (text) => {
      if (!URL.canParse(text) || !["postgres:", "postgresql:"].includes(new URL(text).protocol))
        throw new Error("want a postgres:// URL");
      return text;
    });
  }

  logLevel(): LogLevel {
    return this.choice("LOG_LEVEL", "info", LOG_LEVELS);
  }

  redisTarget(): RedisTarget {
    return readRedisTarget(this.#read) as RedisTarget;
  }

  /** What every process needs. */
  shared(): SharedConfig {
    return {
      databaseUrl: this.databaseUrl(),
      redis: this.redisTarget(),
      secretsKey: this.required("SECRETS_KEY", "base64 of 32 bytes", parseSecretsKey),
      logLevel: this.logLevel(),
      internalHost: this.text("INTERNAL_HOST", "127.0.0.1"),
      internalPort: this.integer("INTERNAL_PORT", 0, 0, 65_535),
      shutdownDeadlineMs: this.durationMs("SHUTDOWN_DEADLINE_MS", 25_000, 1_000, 600_000),
      production: this.optional("NODE_ENV") === "production",
      buildVersion: this.text("BUILD_VERSION", "source"),
      tracing: readTracingSettings(this.#read),
    };
  }

  /** @throws BadConfiguration with all mistakes; else freezes and gives back the configuration. */
  finish<T extends object>(config: T): Readonly<T> {
    if (this.mistakes.length > 0) throw new BadConfiguration(this.mistakes);
    return Object.freeze(config);
  }
}
