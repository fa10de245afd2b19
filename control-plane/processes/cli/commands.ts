import { apiKeyCommands } from "./api-keys.ts";
import { bootstrapCommand } from "./bootstrap.ts";
import { chargePointCommands } from "./charge-points.ts";
import type { Command } from "./cli-command.ts";
import { completionCommands } from "./completion.ts";
import { connectionAttemptCommands } from "./connection-attempts.ts";
import { deadLetterCommands } from "./dead-letters.ts";
import { doctorCommand } from "./doctor.ts";
import { generateCommand } from "./generate-charge-points.ts";
import { idTokenCommands } from "./id-tokens.ts";
import { importCommand } from "./import-charge-points.ts";
import { jwtCommands } from "./jwt.ts";
import { laneCommands } from "./lanes.ts";
import { migrateCommand } from "./migrate.ts";
import { gatewayCommands } from "./nodes.ts";
import { organizationCommands } from "./organizations.ts";
import { projectCommands } from "./projects.ts";
import { registryCommand } from "./rebuild-registry.ts";
import { transactionIdCommand } from "./skip-transaction-ids.ts";
import { tailCommand } from "./tail-messages.ts";
import { webhookCommands } from "./webhooks.ts";

const ALL: readonly Command[] = [
  bootstrapCommand,
  ...organizationCommands,
  ...apiKeyCommands,
  ...projectCommands,
  ...chargePointCommands,
  tailCommand,
  importCommand,
  generateCommand,
  ...connectionAttemptCommands,
  ...idTokenCommands,
  ...gatewayCommands,
  ...laneCommands,
  ...deadLetterCommands,
  ...webhookCommands,
  ...jwtCommands,
  migrateCommand,
  registryCommand,
  transactionIdCommand,
  doctorCommand,
];

/** Everything that the command line can do, in the order in which it is listed. */
export const COMMANDS: readonly Command[] = [...ALL, ...completionCommands(ALL)];
