import { Migration0001Initial } from "./0001-initial.ts";
import { Migration0002QueuedCommands } from "./0002-queued-commands.ts";
import { Migration0003AuthorizationAndSessions } from "./0003-authorization-and-sessions.ts";
import { Migration0004DeviceModel } from "./0004-device-model.ts";
import { Migration0005ChargePointSettings } from "./0005-charge-point-settings.ts";
import { Migration0006CredentialsAndCertificates } from "./0006-credentials-and-certificates.ts";
import { Migration0007QuirksAndMessageLog } from "./0007-quirks-and-message-log.ts";
import { Migration0008AuditAndStationLife } from "./0008-audit-and-station-life.ts";
import { Migration0009FormerSessions } from "./0009-former-sessions.ts";
import { Migration0010UntoldSessions } from "./0010-untold-sessions.ts";
import { Migration0011ShapeOwnersAndListeners } from "./0011-shape-owners-and-listeners.ts";
import { Migration0012OldCommands } from "./0012-old-commands.ts";
import { Migration0013TokenSpellings } from "./0013-token-spellings.ts";
import { Migration0014SetAside } from "./0014-set-aside.ts";
import { Migration0015LostCommits } from "./0015-lost-commits.ts";

/** In order; never renamed once released. Each must let the previous release's processes go on (expand, then contract). */
export const MIGRATIONS = [
  { name: "0001-initial", class: Migration0001Initial },
  { name: "0002-queued-commands", class: Migration0002QueuedCommands },
  { name: "0003-authorization-and-sessions", class: Migration0003AuthorizationAndSessions },
  { name: "0004-device-model", class: Migration0004DeviceModel },
  { name: "0005-charge-point-settings", class: Migration0005ChargePointSettings },
  { name: "0006-credentials-and-certificates", class: Migration0006CredentialsAndCertificates },
  { name: "0007-quirks-and-message-log", class: Migration0007QuirksAndMessageLog },
  { name: "0008-audit-and-station-life", class: Migration0008AuditAndStationLife },
  { name: "0009-former-sessions", class: Migration0009FormerSessions },
  { name: "0010-untold-sessions", class: Migration0010UntoldSessions },
  { name: "0011-shape-owners-and-listeners", class: Migration0011ShapeOwnersAndListeners },
  { name: "0012-old-commands", class: Migration0012OldCommands },
  { name: "0013-token-spellings", class: Migration0013TokenSpellings },
  { name: "0014-set-aside", class: Migration0014SetAside },
  { name: "0015-lost-commits", class: Migration0015LostCommits },
];
