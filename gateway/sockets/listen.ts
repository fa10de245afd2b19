// The only file that runs uWebSockets.js' own functions; the others of this folder get its objects handed in.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as uws from "uWebSockets.js";
import type { ListenerSettings } from "./listener.ts";

/** 2.x: what comes in is inflated; what goes out is short and stays uncompressed, which RFC 7692 leaves to the sender. */
export const COMPRESSION = uws.SHARED_COMPRESSOR | uws.SHARED_DECOMPRESSOR;

/**
 * Forward secrecy first, then the two RSA suites that OCPP demands for old stations (1.6 security extension and 2.x Part 2
 * A00.FR.317). All with authenticated encryption; TLS 1.3 brings its own. The library offers nothing below TLS 1.2.
 */
const CIPHERS = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
  "AES128-GCM-SHA256",
  "AES256-GCM-SHA384",
].join(":");

/** An application of the library for one listener. Throws when the library does not take the certificates. */
export function createApp({ tls }: ListenerSettings): uws.TemplatedApp {
  if (tls === undefined) return uws.App();
  // The library reads files only, and only now.
  const folder = mkdtempSync(join(tmpdir(), "gateway-tls-"));
  const fileOf = (name: string, pem: string) => {
    const path = join(folder, name);
    writeFileSync(path, pem, { mode: 0o600 });
    return path;
  };
  try {
    return uws.SSLApp({
      cert_file_name: fileOf("certificate.pem", tls.certificate),
      key_file_name: fileOf("key.pem", tls.key),
      ssl_ciphers: CIPHERS,
      ...(tls.clientAuthorities === undefined
        ? {}
        : { ca_file_name: fileOf("authorities.pem", tls.clientAuthorities) }),
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Starts listening. Rejects when the port cannot be had. `stop` keeps what is connected. */
export function listen(app: uws.TemplatedApp, host: string, port: number): Promise<{ port: number; stop: () => void }> {
  return new Promise((resolve, reject) => {
    // Exclusive: without it a second gateway on the port would silently share it.
    const listening = (socket: uws.us_listen_socket | false) => {
      if (socket === false) reject(new Error(`cannot listen on ${host}:${port}: is the port in use?`));
      else resolve({ port: uws.us_socket_local_port(socket), stop: () => uws.us_listen_socket_close(socket) });
    };
    app.listen(host, port, listening);
  });
}
