import type { Rule } from "./rules.ts";

/** What is promised, come what may (docs/invariants.md). */
const PROMISES: readonly Rule[] = [
  { id: "I1", rule: "An answered message is durable, as far as `ACK_DURABILITY` says" },
  { id: "I2", rule: "Its effect happens once" },
  { id: "I3", rule: "Later never yields to earlier, fact by fact" },
  { id: "I4", rule: "One owner per identity: the newest authenticated connection, fenced by its epoch" },
  { id: "I5", rule: "A reply reaches only its own request" },
  { id: "I6", rule: "At most one open CALL per direction; the directions are independent" },
  { id: "I7", rule: "Every command ends in exactly one final state by its deadline" },
  { id: "I8", rule: "Transaction ids are unique for ever and owner-checked" },
  { id: "I9", rule: "One bad peer cannot hurt the others: bounded CPU, memory, log" },
  { id: "I10", rule: "Tenants and installers never see or change each other's things" },
  { id: "I11", rule: "Webhooks: at least once, signed, never to internal addresses" },
  { id: "I12", rule: "No secret in logs, streams, errors, metrics" },
];

/** What happens to processes, servers, networks and clocks. */
const INFRASTRUCTURE: readonly Rule[] = [
  {
    id: "A1",
    rule: "A gateway is killed at full load: its charge points are back on others, nothing acknowledged is missing",
  },
  {
    id: "A2",
    rule: "A gateway dies between Redis's acknowledgement and the answer: the charge point sends again, one effect",
  },
  { id: "A3", rule: "An intake, decisions or api process dies before or after its commit: another goes on, once" },
  { id: "A4", rule: "Rolling restart of all gateways: paced closes, nothing lost, no storm" },
  { id: "A5", rule: "A stop with commands outstanding: each still ends in one state" },
  { id: "A6", rule: "Redis is killed, or the power goes: what was answered is as durable as the setting says" },
  { id: "A7", rule: "Redis fails over to a replica that lags: the gateways fill in what it lacks" },
  { id: "A8", rule: "Redis is cut off from one gateway: it lets its charge points go to the others" },
  { id: "A9", rule: "Redis is out of memory: nothing is answered that is not stored; it goes on without a restart" },
  { id: "A10", rule: "No intake for long: nothing is trimmed, everything is applied afterwards" },
  { id: "A11", rule: "An intake that stood still cannot write over the one that took its lanes" },
  { id: "A12", rule: "The connection breaks right after an entry was written: the entry stands once" },
  { id: "A13", rule: "Postgres is away: no CALLERROR to messages of transactions, REST says when to come again" },
  {
    id: "A14",
    rule: "Postgres lost its last commits: what was answered comes back from the lanes, no transaction id is given twice",
  },
  { id: "A15", rule: "Postgres is slow: bounded memory, live all the same" },
  { id: "A16", rule: "Deadlocks and serialization failures are tried again" },
  { id: "A17", rule: "The streams between the halves break: what was asked is asked again, and answered alike" },
  { id: "A18", rule: "A jobs process stands still past its locks, or dies: webhooks keep their id, mails go out once" },
  { id: "A19", rule: "A clock is stepped: nobody is disconnected, nothing expires" },
  { id: "A20", rule: "A disk is full: as when Redis or Postgres is away" },
  { id: "A21", rule: "A poison frame is set aside with its reason, and the lane goes on" },
];

/** What connections do. */
const CONNECTIONS: readonly Rule[] = [
  { id: "B1", rule: "Ten thousand charge points come back at once: all get in, none is refused for its password" },
  { id: "B2", rule: "A half-open connection is found dead; commands to it fail fast" },
  { id: "B3", rule: "A charge point that comes back while its old connection is half-open gets in at once" },
  { id: "B4", rule: "The end of an old connection that is told late leaves the new one alone" },
  { id: "B5", rule: "The same identity on two nodes at the same moment: exactly one owner" },
  { id: "B6", rule: "Two devices with one identity: bounded takeovers, and a security event" },
  { id: "B7", rule: "A command while the connection moves: delivered once, or told as it is" },
  { id: "B8", rule: "A slow, far line works, without false timeouts" },
  { id: "B9", rule: "A charge point that never reads: bounded memory, then its connection is closed" },
  { id: "B10", rule: "An idle connection outlives the idle limit of a balancer" },
  { id: "B11", rule: "Connections that come and go leave nothing behind" },
  { id: "B12", rule: "A connection that sends for very long costs no more than a new one" },
  { id: "B13", rule: "Pings, unsolicited pongs and broken control frames are dealt with as RFC 6455 says" },
];

/**
 * What may be done to the API, the portal and the webhooks, and what must come of it. rules.test.ts holds each to at least one
 * test; the page docs/fault-catalogue.md is made of it.
 */
export const FAULTS: readonly Rule[] = [
  ...PROMISES,
  ...INFRASTRUCTURE,
  ...CONNECTIONS,
  {
    id: "E1",
    rule: "Forged tokens (no signature, another algorithm, a key brought along or made up, another issuer or audience, no end, not yet valid, over): 401, and the algorithm is ours to choose",
  },
  { id: "E2", rule: "Signing keys added, switched and removed under load: nobody with a good token gets a 401" },
  {
    id: "E3",
    rule: "Every operation, aimed at somebody else's things by every kind of stranger: refused, tells nothing, changes nothing; a route without a policy fails the test",
  },
  {
    id: "E4",
    rule: "Fields that a body does not have (an owner, a role, a status): refused by name, at every level of every body",
  },
  { id: "E5", rule: "An installer goes on after the handover: 409 from the same second, everywhere" },
  {
    id: "E6",
    rule: "Whether an address has an account is told by neither words nor status nor time; mailed links hold 256 bits, are stored as hashes, and change things once",
  },
  { id: "E7", rule: "Guessing at accounts ends with 429, by address and by account, and locks no owner out" },
  { id: "E8", rule: "Enormous pages, queries and texts are capped; no pattern takes longer than its text" },
  { id: "E9", rule: "Enormous, compressed and slow bodies: 413, 415 and 408, with bounded memory" },
  {
    id: "E10",
    rule: "Webhooks to internal addresses, in whatever spelling, by redirect or by a name that changes its mind: no connection",
  },
  {
    id: "E11",
    rule: "Receivers that hang, flood, fail, move, are gone or say when to come again: the schedule holds, and nobody else waits for them",
  },
  {
    id: "E12",
    rule: "A worker that dies or stands still between sending and marking: sent again under the same webhook-id or Message-ID",
  },
  {
    id: "E13",
    rule: "The reference library of Standard Webhooks accepts what we sign, also while secrets are rotated",
  },
  {
    id: "E14",
    rule: "Formulas, markup and addresses in people's and stations' texts stay text in PDF, HTML and what is exported; nothing is fetched for a certificate",
  },
  { id: "E15", rule: "Line breaks and markup in whatever a mail holds add no header, no recipient and no element" },
  { id: "E16", rule: "Uploads: there are none, and nothing but JSON is taken" },
  {
    id: "E17",
    rule: "The same Idempotency-Key: the same answer, done once, also when the process dies in between; with another request 422",
  },
  { id: "E18", rule: "An organisation that floods charge points with commands ends at its quota; others go on" },
  { id: "E19", rule: "No password, token, key or secret in logs, Redis, Postgres, metrics or refusals" },
  { id: "E20", rule: "Every dependency is pinned, with its integrity, and runs nothing when it is installed" },
  {
    id: "E21",
    rule: "A Postgres that was set back to a backup gets what was answered since back from the lanes: the same rows once more, and what cannot come back is told",
  },
];
