import { ProblemError } from "../http/problems.ts";

/** For an operator: of other organisations' projects nothing is told. */
export const noSuchProject = (id: string) =>
  new ProblemError("project_not_found", `There is no project ${id}.`, {
    remedy: "GET /api/v1/projects lists your projects.",
  });

/** For an installer a project exists while they are assigned to it. */
export const notAssigned = (id: string) => new ProblemError("project_not_found", `You have no project ${id}.`);
