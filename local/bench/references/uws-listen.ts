import * as uws from "uWebSockets.js";

/** What the library keeps for a connection. */
interface Kept {
  user: string;
}

interface Reference {
  /** Answers one message. The bytes are gone when it returns. */
  message(socket: uws.WebSocket<Kept>, bytes: ArrayBuffer): void;
  /** Reads the credentials, as whoever lets stations in has to, and keeps who it was. */
  readCredentials?: boolean;
}

/**
 * A server on uWebSockets.js with the settings of a gateway: bounded messages, bounded backpressure, no compression. Tells
 * its port on standard output. With `--tls CERTIFICATE KEY` it speaks TLS.
 */
export function listenAsReference({ message, readCredentials = false }: Reference): void {
  const at = process.argv.indexOf("--tls");
  const [certificate, key] = at < 0 ? [] : process.argv.slice(at + 1);
  const app =
    certificate === undefined || key === undefined
      ? uws.App()
      : uws.SSLApp({ cert_file_name: certificate, key_file_name: key });
  app
    .ws<Kept>("/*", {
      compression: uws.DISABLED,
      maxPayloadLength: 1024 * 1024,
      maxBackpressure: 64 * 1024,
      idleTimeout: 120,
      upgrade(res, req, context) {
        const user = readCredentials ? userOf(req.getHeader("authorization")) : "";
        res.upgrade(
          { user },
          req.getHeader("sec-websocket-key"),
          req.getHeader("sec-websocket-protocol"),
          req.getHeader("sec-websocket-extensions"),
          context,
        );
      },
      message,
    })
    .listen("127.0.0.1", 0, (socket) => {
      if (socket === false) throw new Error("the reference cannot listen");
      console.log(JSON.stringify({ port: uws.us_socket_local_port(socket) }));
    });
}

function userOf(authorization: string): string {
  const [user = ""] = atob(authorization.slice("Basic ".length)).split(":");
  return user;
}
