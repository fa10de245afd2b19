// What a command over REST is measured against (local/bench/rows/commands.ts): an Express that answers a POST with nothing in
// it, on the same Node. Ends when its parent does.
import type { AddressInfo } from "node:net";
import express from "express";

const app = express();
app.use(express.json());
app.post("/", (_request, response) => void response.json({}));
const server = app.listen(0, "127.0.0.1", () => {
  process.stdout.write(`${JSON.stringify({ msg: "ready", port: (server.address() as AddressInfo).port })}\n`);
});
