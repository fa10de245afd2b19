import type { Durations, Report } from "./report.ts";

/** The report for people and for the repository: a page. */
export function markdownOf(report: Report): string {
  return [
    `# ${report.scenario}: ${report.breaches.length === 0 ? "passed" : "FAILED"}`,
    "",
    `\`${report.command}\`, ${report.startedAt}. ${report.machine}. ${report.versions}. Everything shared the cores of this one machine: stations (k6), ${report.gateways} gateway processes, ${report.intakes} intake, the rest of the control plane, Redis and Postgres.`,
    "",
    ...report.breaches.map((breach) => `- **${breach}**`),
    ...(report.breaches.length > 0 ? [""] : []),
    `${stationsOf(report)}, ${count(report.mostConnections)} connections at most. ${ledgerOf(report)}`,
    "",
    ...upgradeOf(report),
    ...table(
      ["phase", "seconds", "messages/s", "p50 ms", "p95 ms", "p99 ms", "max ms"],
      report.phases.map(({ name, seconds, perSecond, durations }) => [
        name,
        seconds.toFixed(0),
        perSecond.toFixed(0),
        ...millis(durations),
      ]),
    ),
    ...(report.steps.length > 0
      ? table(
          ["messages/s", "answered/s", "p95 ms", "p99 ms", "intake behind, s", "carried"],
          report.steps.map((step) => [
            count(step.rate),
            step.achieved.toFixed(0),
            step.p95Ms === undefined ? "unknown" : ms(step.p95Ms),
            step.p99Ms === undefined ? "unknown" : ms(step.p99Ms),
            step.lagSeconds?.toFixed(2) ?? "unknown",
            step.wrong.length === 0 ? "yes" : step.wrong.join("; "),
          ]),
        )
      : table(
          ["action", "OCPP", "phase", "messages", "p50 ms", "p95 ms", "p99 ms", "max ms"],
          report.actions
            .toSorted((a, b) => keyOf(a).localeCompare(keyOf(b)))
            .map(({ action, version, phase, durations }) => [
              action,
              version,
              phase,
              count(durations.count),
              ...millis(durations),
            ]),
        )),
    ...(report.commands === undefined
      ? []
      : [
          `Commands, REST to station and back: ${count(report.commands.durations.count)}, ${spread(report.commands.durations)}; ${(100 * report.commands.errorRate).toFixed(2)} % were not accepted.${againOf(report.commands.askedAgain)}`,
          "",
        ]),
    ...(report.reconnects === undefined
      ? []
      : [
          `Connections that came back: ${count(report.reconnects.count)}, ${spread(report.reconnects)}; ${count(report.refusedHandshakes)} handshakes were refused on the way. No station was without a connection for more than ${ms(report.absences.longestMs)} ms, nor for more than ${ms(report.absences.mostOverMs)} ms beyond its own back-off, nor oftener than ${report.absences.mostTimes} times.`,
          "",
        ]),
    ...table(
      ["process", "cores", "CPU µs/message", "CPU µs/connect", "memory MiB: beginning", "middle", "end"],
      report.processes.map(({ name, cores, cpuMicrosecondsPerMessage, cpuMicrosecondsPerConnect, memory }) => [
        name,
        cores.toFixed(2),
        cpuMicrosecondsPerMessage.toFixed(0),
        cpuMicrosecondsPerConnect.toFixed(0),
        ...(memory ?? [0, 0, 0]).map((bytes) => (bytes / 2 ** 20).toFixed(0)),
      ]),
    ),
    bytesOf(report),
    "",
    `The intake was behind by ${(report.lagSeconds.looks ?? [0, 0, 0]).map((seconds) => seconds.toFixed(2)).join(" → ")} s (beginning → middle → end), ${report.lagSeconds.most.toFixed(2)} s at most.${report.k6DelayMs === undefined ? "" : ` k6's own turns came ${ms(report.k6DelayMs.p95)} ms late at p95: where that is much, k6 had not enough CPU, and the times above are partly its own.`}`,
    "",
  ].join("\n");
}

function upgradeOf({ upgrade }: Report): string[] {
  if (upgrade === undefined) return [];
  const { steps, seconds, version, settings } = upgrade;
  const inSeconds = (value: number | undefined) => value?.toFixed(1) ?? "–";
  return [
    `The release \`${version.from}\` became \`${version.to}\` in ${seconds.toFixed(0)} s, as the chart has it${settings.length > 0 ? `, with ${settings.map((setting) => `\`${setting}\``).join(", ")}` : ""}; no /livez was other than 200 in ${count(upgrade.livezAsked)} looks${upgrade.redLivez.length > 0 ? ` but in ${upgrade.redLivez.length}` : ""}.`,
    "",
    ...table(
      [
        "what",
        "begun at, s",
        "waited for others, s",
        "ready after, s",
        "proved for, s",
        "former drained in, s",
        "its grace, s",
      ],
      steps.map((step) => [
        step.what,
        step.atSeconds.toFixed(1),
        ...[step.waitedSeconds, step.readySeconds, step.provedSeconds, step.drainedSeconds].map(inSeconds),
        step.graceSeconds?.toFixed(0) ?? "–",
      ]),
    ),
  ];
}

function againOf(askedAgain: Record<string, number>): string {
  const all = Object.entries(askedAgain).map(([why, times]) => `${why} × ${times}`);
  return all.length === 0 ? " Each by its first request." : ` Asked again, and accepted: ${all.join("; ")}.`;
}

function ledgerOf({ ledger, errorRate }: Report): string {
  const { answered, transactions, commands, breaches } = ledger;
  const told = `${count(answered)} messages were answered (${(100 * errorRate).toFixed(3)} % were not), ${count(transactions.started)} transactions begun and ${count(transactions.ended)} ended${commands > 0 ? `, ${count(commands)} commands accepted` : ""}`;
  return `${told}: ${breaches.length === 0 ? "no answered message is missing in Postgres, none is there twice" : "what is missing is named above"}.`;
}

const stationsOf = ({ stations, rate, scenario }: Report): string =>
  `${Object.entries(stations)
    .map(([version, number]) => `${count(number)} stations of OCPP ${version}`)
    .join(
      ", ",
    )}; ${rate === undefined ? (scenario === "ramp" ? "faster step by step" : "their natural pace") : `${count(rate)} messages a second wished for`}`;

function bytesOf({ bytesPerMessage }: Report): string {
  const { sent, received, database, wal } = bytesPerMessage;
  return `Bytes per answered message, connecting included: ${sent.toFixed(0)} sent by stations and ${received.toFixed(0)} received (frames, handshakes, pings); Postgres grew by ${database.toFixed(0)} and wrote ${wal.toFixed(0)} of write-ahead log.`;
}

const keyOf = ({ phase, version, action }: Report["actions"][number]) =>
  `${phase === "connect" ? 0 : 1} ${phase} ${version} ${action}`;

const count = (value: number): string => Math.round(value).toLocaleString("en-GB");
const ms = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0));
const millis = ({ p50, p95, p99, max }: Durations): string[] => [p50, p95, p99, max].map(ms);
const spread = (durations: Durations): string => {
  const [p50, p95, p99, max] = millis(durations);
  return `p50 ${p50}, p95 ${p95}, p99 ${p99}, at most ${max} ms`;
};

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(heads), `|${heads.map(() => "---").join("|")}|`, ...rows.map(line), ""];
}
