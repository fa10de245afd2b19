import { defineEntity, p } from "@mikro-orm/core";

export const ProjectEntity = defineEntity({
  name: "Project",
  tableName: "projects",
  properties: {
    id: p.string().primary(),
    orgId: p.string(),
    name: p.string(),
    siteAddress: p.string(),
    chargePointsExpected: p.integer(),
    siteOwnerName: p.string().nullable(),
    siteOwnerEmail: p.string().nullable(),
    status: p.enum(["in_progress", "handed_over"]),
    handedOverAt: p.datetime().nullable(),
    createdAt: p.datetime(),
  },
});

/** Which installers may work on a project. */
export const ProjectInstallerEntity = defineEntity({
  name: "ProjectInstaller",
  tableName: "project_installers",
  properties: {
    projectId: p.string().primary(),
    installerId: p.string().primary(),
    assignedAt: p.datetime(),
  },
});
