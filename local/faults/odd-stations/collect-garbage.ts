// Loaded into a process of the product by NODE_OPTIONS: collects its garbage on SIGPWR, so that what is left is what is kept.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
process.on("SIGPWR", collect);
