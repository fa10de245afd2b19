// The floor: every message is answered with the same text, nothing is read of it.

import { listenAsReference } from "./uws-listen.ts";

listenAsReference({
  message: (socket) => void socket.send('[3,"0000000000000000000",{}]'),
});
