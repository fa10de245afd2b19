// The other end of a pub/sub round trip and of a socket round trip: says again what it hears. Ends when its parent does.
import type { AddressInfo } from "node:net";
import { Redis } from "ioredis";
import { WebSocketServer } from "ws";

const [, , redisUrl = "", channel = ""] = process.argv;
const [ear, mouth] = [new Redis(redisUrl), new Redis(redisUrl)];
await ear.ssubscribe(channel);
ear.on("smessage", (_channel, text: string) => void mouth.spublish(`${channel}-back`, text));

const sockets = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
sockets.on("connection", (socket) => socket.on("message", (data: Buffer) => socket.send(data.toString("utf8"))));
sockets.on("listening", () =>
  process.stdout.write(`${JSON.stringify({ msg: "ready", port: (sockets.address() as AddressInfo).port })}\n`),
);
