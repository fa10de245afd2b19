import type { Dashboard, Panel, Query } from "./dashboard.ts";

const query = (expr: string, legend: string): Query => ({ expr, legend });
/** For counters with labels and the like: without a series until it happens. */
const happening = (expr: string, legend: string): Query => ({ expr, legend, onlyWhenItHappened: true });
const curve = (title: string, unit: Panel["unit"], ...queries: Query[]): Panel => ({ title, unit, queries });
const stat = (title: string, unit: Panel["unit"], one: Query): Panel => ({ title, unit, stat: true, queries: [one] });
const rate = (metric: string) => `rate(${metric}[$__rate_interval])`;
const quantile = (share: number, metric: string, by = "le") =>
  `histogram_quantile(${share}, sum by (${by}) (${rate(`${metric}_bucket`)}))`;
const p50and99 = (metric: string) => [query(quantile(0.5, metric), "half"), query(quantile(0.99, metric), "99 %")];

const gateways: Dashboard = {
  name: "gateways",
  title: "gateways",
  panels: [
    stat("Open connections", "short", query('sum(ocpp_connections{state="open"})', "open")),
    stat("Gateways that are ready", "short", query("sum(dynamo_ready and on (instance) ocpp_build_info)", "ready")),
    stat("Lanes that cannot be written", "short", query("count(ocpp_lane_healthy == 0) or vector(0)", "lanes")),
    stat("Gateways that drain", "short", query("sum(ocpp_draining)", "draining")),
    curve(
      "Processes by release",
      "short",
      query("count by (process, version) (dynamo_build_info)", "{{process}} {{version}}"),
    ),
    curve(
      "Connections by gateway",
      "short",
      query('sum by (instance) (ocpp_connections{state="open"})', "{{instance}}"),
    ),
    curve("Connections by version", "short", query('sum by (version) (ocpp_connections{state="open"})', "{{version}}")),
    curve(
      "Opened and closed",
      "reqps",
      query(`sum(${rate("ocpp_connections_opened_total")})`, "opened"),
      happening(`sum by (reason) (${rate("ocpp_connections_closed_total")})`, "closed: {{reason}}"),
    ),
    curve(
      "Handshakes refused",
      "reqps",
      happening(`sum by (reason) (${rate("ocpp_handshake_rejected_total")})`, "{{reason}}"),
    ),
    curve(
      "Handshakes, 99 % within",
      "s",
      query(quantile(0.99, "ocpp_handshake_duration_seconds", "le, outcome"), "{{outcome}}"),
    ),
    curve("Handshakes that wait", "short", query("sum by (instance) (ocpp_handshakes_waiting)", "{{instance}}")),
    curve(
      "Frames",
      "reqps",
      query(`sum by (direction, type) (${rate("ocpp_frames_total")})`, "{{direction}} {{type}}"),
    ),
    curve("Calls without an answer yet", "short", query("sum by (direction) (ocpp_calls_in_flight)", "{{direction}}")),
    curve(
      "Answers to stations, 99 % within",
      "s",
      query(
        'histogram_quantile(0.99, sum by (le, action) (rate(ocpp_call_duration_seconds_bucket{direction="in"}[$__rate_interval])))',
        "{{action}}",
      ),
    ),
    curve("Redis acknowledges a lane entry within", "s", ...p50and99("ocpp_stream_publish_duration_seconds")),
    curve("Lane bytes not acknowledged", "bytes", query("sum by (instance) (ocpp_lane_waiting_bytes)", "{{instance}}")),
    curve(
      "Let go and faults",
      "reqps",
      happening(`sum by (why) (${rate("ocpp_backpressure_drops_total")})`, "let go: {{why}}"),
      happening(`sum by (where) (${rate("ocpp_faults_total")})`, "fault: {{where}}"),
    ),
    curve("Event loop lag, 99 %", "s", query("max by (instance) (ocpp_event_loop_lag_seconds)", "{{instance}}")),
    curve("Memory", "bytes", query("process_resident_memory_bytes and on (instance) ocpp_build_info", "{{instance}}")),
    curve(
      "Processor",
      "percentunit",
      query(`${rate("process_cpu_seconds_total")} and on (instance) ocpp_build_info`, "{{instance}}"),
    ),
    curve(
      "Handshakes that never came",
      "reqps",
      happening(`sum by (listener) (${rate("ocpp_connections_without_request_total")})`, "listener {{listener}}"),
    ),
  ],
};

const intake: Dashboard = {
  name: "intake",
  title: "intake and lanes",
  panels: [
    stat("Oldest message that waits", "s", query("max(dynamo_lane_oldest_waiting_seconds)", "age")),
    stat("Dead letters", "short", query("max(dynamo_dead_letters_open)", "open")),
    stat("Lanes that nobody holds", "short", query('max(dynamo_lanes{status="unheld"})', "unheld")),
    stat("Gaps", "short", query("max(dynamo_lane_gaps_open)", "open")),
    curve("Lag by intake", "s", query("max by (instance) (intake_lag_seconds)", "{{instance}}")),
    curve("Entries that wait", "short", query("max(dynamo_lane_waiting_entries)", "entries")),
    curve("Frames applied", "reqps", query(`sum by (instance) (${rate("intake_frames_total")})`, "{{instance}}")),
    curve("Batches", "reqps", query(`sum by (outcome) (${rate("intake_batches_total")})`, "{{outcome}}")),
    curve("A batch takes", "s", ...p50and99("intake_batch_duration_seconds")),
    curve(
      "Lanes held",
      "short",
      query("intake_lanes", "{{instance}}"),
      query("intake_waiting_lanes", "{{instance}} waits"),
    ),
    curve("Lanes by status", "short", query("max by (status) (dynamo_lanes)", "{{status}}")),
    curve("Set aside", "reqps", query(`sum(${rate("intake_dead_letters_total")})`, "frames")),
    curve(
      "Connections to Postgres",
      "short",
      query("sum by (pool, state) (dynamo_db_pool_connections)", "{{pool}} {{state}}"),
      query("sum by (pool) (dynamo_db_pool_waiting)", "{{pool}} waited for"),
    ),
    curve("Redis memory", "percentunit", happening("max(dynamo_redis_memory_ratio)", "of its limit")),
    curve("Clocks", "s", query("max by (server) (abs(dynamo_clock_difference_seconds))", "{{server}}")),
    curve("Event loop lag, 99 %", "s", query("nodejs_eventloop_lag_p99_seconds", "{{instance}}")),
  ],
};

const decisions: Dashboard = {
  name: "decisions-and-commands",
  title: "decisions and commands",
  panels: [
    stat("Decisions in work", "short", query("sum(decisions_open_questions)", "questions")),
    stat("Streams of gateways", "short", query("sum(decisions_streams)", "streams")),
    stat("Commands overdue", "short", query("max(dynamo_commands_overdue)", "overdue")),
    stat("Commands open", "short", query("sum(max by (state) (dynamo_commands_open))", "open")),
    curve(
      "Decisions, 99 % within",
      "s",
      query(quantile(0.99, "decisions_duration_seconds", "le, question"), "{{question}}"),
    ),
    curve("Decided together", "short", ...p50and99("decisions_batch_questions")),
    curve(
      "Asked by gateways",
      "reqps",
      query(`sum by (action, outcome) (${rate("ocpp_decisions_total")})`, "{{action}} {{outcome}}"),
    ),
    curve("Commands open by state", "short", query("max by (state) (dynamo_commands_open)", "{{state}}")),
    curve(
      "Commands end within, 99 %",
      "s",
      happening(quantile(0.99, "dynamo_command_duration_seconds", "le, deliver, outcome"), "{{deliver}} {{outcome}}"),
    ),
    curve("Commands ended", "reqps", happening(`sum by (state) (${rate("ocpp_commands_total")})`, "{{state}}")),
    curve(
      "Stations answer within, 99 %",
      "s",
      happening(
        'histogram_quantile(0.99, sum by (le, action) (rate(ocpp_call_duration_seconds_bucket{direction="out"}[$__rate_interval])))',
        "{{action}}",
      ),
    ),
    curve(
      "REST requests",
      "reqps",
      query(`sum by (status) (${rate("http_request_duration_seconds_count")})`, "{{status}}"),
    ),
    curve("REST, 99 % within", "s", query(quantile(0.99, "http_request_duration_seconds", "le, route"), "{{route}}")),
    curve("REST problems", "reqps", happening(`sum by (code) (${rate("http_problems_total")})`, "{{code}}")),
  ],
};

const fleet: Dashboard = {
  name: "fleet",
  title: "fleet",
  panels: [
    stat("Charge points", "short", query("sum(max by (registration) (dynamo_charge_points))", "registered")),
    stat("Connected", "short", query('sum(ocpp_connections{state="open"})', "open")),
    stat(
      "Connected of accepted",
      "percentunit",
      query('sum(ocpp_connections{state="open"}) / max(dynamo_charge_points{registration="accepted"})', "share"),
    ),
    stat(
      "Handshakes refused in an hour",
      "short",
      query("sum(increase(ocpp_handshake_rejected_total[1h])) or vector(0)", "refused"),
    ),
    curve("By registration", "short", query("max by (registration) (dynamo_charge_points)", "{{registration}}")),
    stat("Transactions under way", "short", query("max(dynamo_transactions_active)", "under way")),
    curve("By version", "short", query('sum by (version) (ocpp_connections{state="open"})', "{{version}}")),
    curve(
      "What they send",
      "reqps",
      query('sum by (action) (rate(ocpp_frames_total{direction="in",type="call"}[$__rate_interval]))', "{{action}}"),
    ),
    curve(
      "Payloads that break their schema",
      "reqps",
      happening(`sum by (action, version) (${rate("ocpp_frame_validation_failures_total")})`, "{{action}} {{version}}"),
    ),
    curve(
      "What quirk profiles forgave",
      "reqps",
      happening(`sum by (quirk, mode) (${rate("ocpp_quirks_total")})`, "{{quirk}} {{mode}}"),
    ),
    curve(
      "Answers to no open call",
      "reqps",
      happening(`sum by (version) (${rate("ocpp_unmatched_answers_total")})`, "{{version}}"),
    ),
    curve("Taken over", "reqps", happening(`sum by (former) (${rate("ocpp_takeovers_total")})`, "{{former}}")),
    curve("Connections lasted", "s", happening(quantile(0.5, "ocpp_connection_duration_seconds"), "half")),
    curve("Frame size, 99 %", "bytes", query(quantile(0.99, "ocpp_frame_bytes"), "bytes")),
  ],
};

const commissioning: Dashboard = {
  name: "commissioning",
  title: "commissioning",
  panels: [
    stat("Under way", "short", query('max(dynamo_commissionings{status="in_progress"})', "in progress")),
    stat("Completed", "short", query('max(dynamo_commissionings{status="completed"})', "completed")),
    stat("Failed", "short", query('max(dynamo_commissionings{status="failed"})', "failed")),
    stat("Mails overdue", "s", query('max(dynamo_backlog_late_seconds{work="mail"})', "late")),
    curve("Commissionings by status", "short", query("max by (status) (dynamo_commissionings)", "{{status}}")),
    curve("Checks", "short", happening("max by (check, status) (dynamo_commissioning_checks)", "{{check}} {{status}}")),
    curve(
      "Runs of work",
      "reqps",
      happening(`sum by (work, outcome) (${rate("dynamo_work_runs_total")})`, "{{work}} {{outcome}}"),
    ),
    curve("A run takes, 99 %", "s", happening(quantile(0.99, "dynamo_work_run_seconds", "le, work"), "{{work}}")),
    curve("Mails", "reqps", happening(`sum by (outcome) (${rate("dynamo_mail_attempts_total")})`, "{{outcome}}")),
    curve(
      "Sweeps",
      "reqps",
      query(`sum by (sweep, outcome) (${rate("dynamo_sweeps_total")})`, "{{sweep}} {{outcome}}"),
    ),
    curve(
      "Days until a certificate runs out",
      "short",
      query("(min by (use) (dynamo_certificate_not_after_seconds) - time()) / 86400", "{{use}}"),
    ),
  ],
};

const webhooks: Dashboard = {
  name: "webhooks",
  title: "webhooks",
  panels: [
    stat("Deliveries to be made", "short", query("max(dynamo_webhook_deliveries_pending)", "pending")),
    stat("Overdue", "s", query('max(dynamo_backlog_late_seconds{work="webhook_delivery"})', "late")),
    stat("Events not handed out", "s", query('max(dynamo_backlog_late_seconds{work="webhook_fan_out"})', "late")),
    stat("Endpoints disabled", "short", query("max(dynamo_webhook_endpoints_disabled)", "endpoints")),
    curve("Attempts", "reqps", happening(`sum by (outcome) (${rate("dynamo_webhook_attempts_total")})`, "{{outcome}}")),
    curve(
      "An attempt takes",
      "s",
      ...p50and99("dynamo_webhook_attempt_seconds").map((one) => happening(one.expr, one.legend)),
    ),
    curve("Wake-ups in queues", "short", query("max by (queue, state) (dynamo_queue_jobs)", "{{queue}} {{state}}")),
    curve("Due at the last sweep", "short", query("max by (work) (dynamo_work_due)", "{{work}}")),
  ],
};

/** Every dashboard of the chart. */
export const DASHBOARDS: readonly Dashboard[] = [gateways, intake, decisions, fleet, commissioning, webhooks];
