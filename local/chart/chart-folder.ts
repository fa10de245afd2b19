import { join } from "node:path";
import { FOLDERS } from "../folders.ts";

/** The chart of this repository. */
export const CHART = join(FOLDERS.root, "charts", "dynamo-csms");
