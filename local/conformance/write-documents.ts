// `npm run generate:documents`: the documents that are made of the code.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FOLDERS } from "../folders.ts";
import { conformancePage } from "./conformance-page.ts";
import { readmeWithSummary, supportedActionsPage } from "./supported-actions.ts";

const readme = join(FOLDERS.root, "README.md");
writeFileSync(join(FOLDERS.root, "docs", "conformance.md"), conformancePage());
writeFileSync(join(FOLDERS.root, "docs", "supported-actions.md"), await supportedActionsPage());
writeFileSync(readme, await readmeWithSummary(readFileSync(readme, "utf8")));
