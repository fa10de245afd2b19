// uWebSockets.js writes a warning to stderr whenever a response is used outside the library's own callbacks, a line for each
// upgrade that waited for anything, such as for Redis. Corking the response is no way out: this version then may close the new
// WebSocket at once, having read its memory as that of the former response (uNetworking/uWebSockets#1929; seen with one in
// seven first connections). What the warning looks at is a counter, not the response: within the cork of any other response
// there is none. So one is kept for that: of a request of our own, over loopback, that is never answered.

import { once } from "node:events";
import { connect } from "node:net";
import type { HttpResponse } from "uWebSockets.js";
import { createApp, listen } from "./listen.ts";

export interface StandIn {
  /** Runs it at once, within the cork of the kept response if there still is one. */
  within(run: () => void): void;
  close(): void;
}

/** Nothing listens any more when it resolves. Without the response all works the same, with the library's warnings. */
export async function createStandIn(): Promise<StandIn> {
  const arrived = Promise.withResolvers<void>();
  let kept: HttpResponse | undefined;
  const app = createApp({ profile: 1, port: 0 }).any("/*", (res) => {
    if (kept !== undefined) return void res.close();
    kept = res;
    res.onAborted(() => {
      kept = undefined;
    });
    arrived.resolve();
  });
  const { port, stop } = await listen(app, "127.0.0.1", 0);
  const request = connect(port, "127.0.0.1");
  request.on("error", () => {});
  await once(request, "connect");
  request.write("GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
  await arrived.promise;
  stop();
  return {
    within(run) {
      if (kept === undefined) run();
      else kept.cork(run);
    },
    close() {
      request.destroy();
      app.close();
    },
  };
}
