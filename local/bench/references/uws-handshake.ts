// A handshake as bare as one can be that reads who comes: no lookup, no check, nothing kept but the name.

import { listenAsReference } from "./uws-listen.ts";

listenAsReference({
  readCredentials: true,
  message: (socket) => void socket.send("[]"),
});
