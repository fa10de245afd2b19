import type { RedisConnection } from "@dynamo-csms/proto/process/redis-connection";
import { stationRecord } from "@dynamo-csms/proto/redis-keys";
import type { StationIdentity } from "@dynamo-csms/proto/station-identity";
import type { Sql } from "../../database.ts";
import { readBacklogs } from "../backlogs.ts";
import { type Check, Findings } from "./finding.ts";

/** Retries have pauses of their own; this is work that was due and that nobody began. */
const LATE_SECONDS = 300;

/** Work that waits in Postgres, and what was set aside. */
export function backlogsCheck(sql: Sql): Check {
  return {
    name: "backlogs",
    runbook: "jobs-stopped",
    async run() {
      const say = new Findings("backlogs");
      const found = await readBacklogs(sql);
      if (found.openDeadLetters > 0)
        say.problem(
          `${found.openDeadLetters} dead letters: messages that were answered and not filed`,
          "`cli dead-letters list` says why; replay or discard them.",
          "dead-letters",
        );
      if (found.overdueCommands > 0)
        say.problem(
          `${found.overdueCommands} commands are past their deadline without a final state`,
          "The jobs process ends them: see whether one runs.",
          "commands-overdue",
        );
      const late = [
        ["webhook deliveries", found.webhookLateSeconds, "webhook-backlog"],
        ["events to be fanned out", found.fanOutLateSeconds, "webhook-backlog"],
        ["mails", found.mailLateSeconds, "mail-backlog"],
        ["registry records", found.registryLateSeconds, "jobs-stopped"],
      ] as const;
      for (const [what, seconds, runbook] of late)
        if (seconds > LATE_SECONDS)
          say.problem(
            `${what} have been due for ${Math.round(seconds)} s`,
            "See whether a jobs process runs, and its log.",
            runbook,
          );
      if (found.disabledEndpoints > 0)
        say.warning(
          `${found.disabledEndpoints} webhook endpoints were disabled because they failed`,
          "Tell their organisations: they enable them again with PATCH.",
          "webhook-endpoint-disabled",
        );
      const [mails] = await sql.query<{ failed: number }>(
        `select count(*)::int as failed from mails where status = 'failed' and created_at > now() - interval '2 days'`,
      );
      if ((mails?.failed ?? 0) > 0)
        say.warning(
          `${mails?.failed} mails of the last two days were given up`,
          "Their last_error says why.",
          "mail-backlog",
        );
      if (say.all.length === 0) say.ok("no dead letters, nothing is late");
      return say.all;
    },
  };
}

/** Which processes have a connection: their pools carry their names. */
export function processesCheck(sql: Sql): Check {
  return {
    name: "processes",
    runbook: "process-not-ready",
    async run() {
      const say = new Findings("processes");
      const rows = await sql.query<{ name: string }>(
        `select distinct application_name as name from pg_stat_activity where application_name like 'dynamo %'`,
      );
      const names = new Set(rows.map(({ name }) => name));
      // These two ask something every second; the pools of the others may be empty when nobody wants anything.
      for (const name of ["intake", "jobs"])
        if (names.has(`dynamo ${name}`) || names.has(`dynamo ${name} sweeps`)) say.ok(`${name} runs`);
        else
          say.problem(
            `no ${name} process is connected to Postgres`,
            `Start one, or find in its log why it cannot connect.`,
            name === "jobs" ? "jobs-stopped" : "lane-unheld",
          );
      return say.all;
    },
  };
}

/** Whether the gateways' registry has the stations: a sample, of the oldest, the newest, and in between. */
export function registryCheck({ sql, redis }: { sql: Sql; redis: RedisConnection }): Check {
  return {
    name: "registry",
    runbook: "redis-away",
    async run() {
      const say = new Findings("registry");
      // Those that the outbox is about to write are not missing yet.
      const sample = await sql.query<{ identity: StationIdentity }>(
        `select identity from stations s where not exists (select 1 from registry_outbox o where o.station_id = s.id)
         and (id in (select id from stations order by id limit 20) or id in (select id from stations order by id desc limit 20)) and retired_at is null`,
      );
      const there = await Promise.all(sample.map(({ identity }) => redis.exists(stationRecord(identity))));
      const missing = there.filter((found) => found === 0).length;
      if (missing > 0)
        say.problem(
          `${missing} of ${sample.length} charge points that were looked for are not in Redis: gateways ask the control plane about each`,
          "`cli registry rebuild` writes all of them again.",
          "redis-away",
        );
      else say.ok(`${sample.length} charge points looked for, all there`);
      return say.all;
    },
  };
}
