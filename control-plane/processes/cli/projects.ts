import { parseSecretsKey } from "@dynamo-csms/proto/sealed-secret";
import { z } from "zod";
import { openOrm, sqlOf, sqlOn } from "../../database.ts";
import { ConfigReader } from "../../config-reader.ts";
import { emailKey } from "../../http/email-address.ts";
import { lines, oneLine } from "../../http/fields.ts";
import { newId } from "../../ids.ts";
import { assignInstaller } from "../../projects/assign-installer.ts";
import { ProjectEntity } from "../../projects/project.entity.ts";
import { operatorsView, PROJECT_COLUMNS, type ProjectRow } from "../../projects/project-summary.ts";
import { type CommandIo, defineCommand, ORG } from "./cli-command.ts";
import { CliMistake } from "./cli-mistake.ts";
import { findOrganization } from "./organizations.ts";
import { onPostgres, readDatabaseUrl } from "./with-servers.ts";

const FIELDS = {
  name: oneLine(200),
  address: lines(500),
  "charge-points": z.coerce.number().int().min(0).max(100_000),
};

async function createProject(
  flags: { name: string; address: string; "charge-points": string | undefined; org: string | undefined },
  io: CommandIo,
): Promise<void> {
  const wanted = z.object(FIELDS).safeParse({ ...flags, "charge-points": flags["charge-points"] ?? "0" });
  if (!wanted.success)
    throw new CliMistake(wanted.error.issues.map(({ path, message }) => `--${path.join()}: ${message}`).join("; "));
  const orm = await openOrm(readDatabaseUrl(io), [ProjectEntity], 1);
  try {
    const em = orm.em.fork();
    const orgId = await findOrganization(sqlOf(em), flags.org);
    const id = newId("proj");
    await em.insert(ProjectEntity, {
      id,
      orgId,
      name: wanted.data.name,
      siteAddress: wanted.data.address,
      chargePointsExpected: wanted.data["charge-points"],
      siteOwnerName: null,
      siteOwnerEmail: null,
      status: "in_progress",
      createdAt: new Date(),
    });
    io.print({ project_id: id, org_id: orgId, name: wanted.data.name });
  } finally {
    await orm.close();
  }
}

/** Lets an installer work on a project; they are told by mail, which the jobs process sends. */
async function assign(
  {
    project,
    "installer-email": installer,
    org,
  }: { project: string; "installer-email": string; org: string | undefined },
  io: CommandIo,
): Promise<void> {
  const read = new ConfigReader(io.env, io.readFile);
  const config = read.finish({
    databaseUrl: read.databaseUrl(),
    secretsKey: read.required("SECRETS_KEY", "base64 of 32 bytes", parseSecretsKey),
  });
  const orm = await openOrm(config.databaseUrl, [], 1);
  try {
    const sql = sqlOf(orm.em.fork());
    const orgId = await findOrganization(sql, org);
    const [found] = await sql.query<{ id: string }>(
      `select id from installers where email_key = $1 and status <> 'disabled'`,
      [emailKey(installer)],
    );
    // The row is what counts: the jobs process looks for mails by itself.
    const deps = { orm, secretsKey: config.secretsKey, wakeUps: { wake: () => {} } };
    const outcome = await assignInstaller(deps, orgId, project, found?.id ?? "");
    if (!outcome.ok)
      throw new CliMistake(
        outcome.error === "no-such-project"
          ? `there is no project ${project} in ${orgId}: \`projects list\` shows them`
          : `no installer has the address ${installer}: they sign up first`,
      );
    io.print({ project_id: project, installer_id: found?.id, status: "assigned" });
  } finally {
    await orm.close();
  }
}

/** Projects: the sites that installers work on. */
export const projectCommands = [
  defineCommand({
    name: "projects create",
    summary: "Makes a project that installers can be assigned to.",
    flags: {
      name: { value: "NAME", required: true, help: "what it is called" },
      address: { value: "ADDRESS", required: true, help: "of the site" },
      "charge-points": { value: "N", help: "how many are expected" },
      org: ORG,
    },
    examples: [`projects create --name "Riverside, phase 1" --address "Unit 12, London E1W 3SJ" --charge-points 6`],
    run: createProject,
  }),
  defineCommand({
    name: "projects list",
    summary: "Prints an organisation's projects, newest first.",
    flags: { org: ORG },
    examples: ["projects list"],
    columns: ["project_id", "name", "status", "charge_points_registered", "charge_points_commissioned", "created_at"],
    reads: true,
    run: ({ org }, io) =>
      onPostgres(io, async (pool) => {
        const sql = sqlOn(pool);
        const rows = await sql.query<ProjectRow>(
          `select ${PROJECT_COLUMNS} from projects p where p.org_id = $1 order by p.created_at desc, p.id desc`,
          [await findOrganization(sql, org)],
        );
        for (const row of rows) io.print(operatorsView(row));
      }),
  }),
  defineCommand({
    name: "projects assign",
    summary: "Lets an installer work on a project, and tells them by mail.",
    flags: {
      project: { value: "PROJECT_ID", required: true, help: "as `projects list` has it" },
      "installer-email": { value: "ADDRESS", required: true, help: "the e-mail address of their account" },
      org: ORG,
    },
    examples: ["projects assign --project proj_00000000000000000000000001 --installer-email j.doe@installers.example"],
    run: assign,
  }),
];
