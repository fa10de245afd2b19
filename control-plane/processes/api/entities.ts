import { InstallerEntity, InstallerTokenEntity } from "../../installers/installer.entity.ts";
import { ApiKeyEntity, OrganizationEntity } from "../../organizations/organization.entity.ts";
import { ProjectEntity, ProjectInstallerEntity } from "../../projects/project.entity.ts";
import { StationEntity } from "../../stations/station.entity.ts";

/** What this process reads and writes as entities. */
export const ENTITIES = [
  ApiKeyEntity,
  InstallerEntity,
  InstallerTokenEntity,
  OrganizationEntity,
  ProjectEntity,
  ProjectInstallerEntity,
  StationEntity,
];
