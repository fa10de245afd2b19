// `npm stop`: ends what `npm start` of this checkout runs, and waits until it is gone.
import { FOLDERS } from "./folders.ts";
import { stopRunning } from "./stop-running.ts";

const outcome = await stopRunning(FOLDERS.state);
console.log(outcome === "stopped" ? "stopped" : "not running");
