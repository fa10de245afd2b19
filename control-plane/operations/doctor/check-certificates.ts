import { X509Certificate } from "node:crypto";
import type { Sql } from "../../database.ts";
import { type Check, Findings } from "./finding.ts";

/** A certificate of the deployment's own, as PEM: the first is the one that counts, its issuers follow. */
export interface OwnCertificate {
  /** The variable that names it. */
  name: string;
  /** Undefined: not given to this command. */
  pem: string | undefined;
}

const SOON_DAYS = 30;
const RUNBOOK = "certificate-expiry";
const DAY_MS = 86_400_000;

/** Certificates that this command is given: whether they are in date, and for how long. */
export function ownCertificatesCheck(certificates: readonly OwnCertificate[], nowMs = Date.now()): Check {
  return {
    name: "certificates",
    runbook: RUNBOOK,
    run: async () => {
      const say = new Findings("certificates");
      const given = certificates.filter(({ pem }) => pem !== undefined);
      for (const { name, pem = "" } of given) judge(say, name, pem, nowMs);
      const absent = certificates.length - given.length;
      if (absent > 0)
        say.ok(`${absent} of ${certificates.length} variables with certificates are not set here: not examined`);
      return say.all;
    },
  };
}

function judge(say: Findings, name: string, pem: string, nowMs: number): void {
  const pems = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  let chain: X509Certificate[];
  try {
    chain = pems.map((text) => new X509Certificate(text));
  } catch {
    chain = [];
  }
  if (chain.length === 0) {
    say.problem(`${name} holds no certificate that can be read`, "It must be PEM.", RUNBOOK);
    return;
  }
  const remedy = `Replace what ${name} names, and start the processes anew that read it.`;
  for (const [index, certificate] of chain.entries()) {
    const which = index === 0 ? name : `${name} (issuer ${index})`;
    const days = Math.floor((certificate.validToDate.getTime() - nowMs) / DAY_MS);
    const until = certificate.validToDate.toISOString().slice(0, 10);
    if (certificate.validFromDate.getTime() > nowMs)
      say.problem(
        `${which} is not valid before ${certificate.validFromDate.toISOString()}`,
        "Check this machine's clock, or wait.",
        RUNBOOK,
      );
    else if (days < 0) say.problem(`${which} has expired on ${until}`, remedy, RUNBOOK);
    else if (days < SOON_DAYS) say.warning(`${which} expires on ${until}, in ${days} days`, remedy, RUNBOOK);
    else if (index === 0) say.ok(`${name} is good until ${until}`);
  }
}

/** Certificates of charge points that run out while nothing renews them. */
export function stationCertificatesCheck(sql: Sql): Check {
  return {
    name: "charge points' certificates",
    runbook: "certificate-expiry",
    async run() {
      const say = new Findings("charge points' certificates");
      const [row] = await sql.query<{ expired: number; soon: number; all: number }>(
        `select count(*) filter (where not_after < now())::int as expired,
                count(*) filter (where not_after between now() and now() + interval '14 days')::int as soon, count(*)::int as all
         from (select distinct on (station_id, certificate_type) not_after from station_certificates
               where state = 'installed' order by station_id, certificate_type, not_after desc) newest`,
      );
      const { expired = 0, soon = 0, all = 0 } = row ?? {};
      const remedy = "See docs/certificates.md: a charge point that is online is asked for a new key in time.";
      if (expired > 0) say.warning(`${expired} of ${all} have expired`, remedy, "certificate-expiry");
      if (soon > 0) say.warning(`${soon} of ${all} expire within 14 days`, remedy, "certificate-expiry");
      if (expired + soon === 0) say.ok(`${all}, none near its end`);
      return say.all;
    },
  };
}
