import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { X509Certificate } from "node:crypto";

export interface KeyPair {
  cert: string;
  key: string;
}

export interface Authority extends KeyPair {
  /** A certificate of this authority: for a station unless it is for a server, on a curve unless it is RSA. */
  issue(subject: string, options?: { days?: number; server?: boolean; rsa?: boolean }): KeyPair;
}

/** As a registry has it: lower-case hex. */
export const fingerprintOf = ({ cert }: KeyPair): string =>
  new X509Certificate(cert).fingerprint256.replaceAll(":", "").toLowerCase();

/** A certificate authority of its own, made with openssl, which these tests cannot do without. */
export function makeAuthority(name: string): Authority {
  return inFolder((folder) => {
    openssl(folder, ["req", "-x509", ...NEW_KEY, "-out", "cert.pem", "-days", "30", "-subj", `/CN=${name}`]);
    const authority = pairIn(folder);
    return {
      ...authority,
      issue: (subject, { days = 10, server = false, rsa = false } = {}) =>
        inFolder((at) => {
          writeFileSync(join(at, "ca.pem"), authority.cert);
          writeFileSync(join(at, "ca.key"), authority.key);
          const purpose = server
            ? "extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1"
            : "extendedKeyUsage=clientAuth";
          writeFileSync(join(at, "extensions"), purpose);
          openssl(at, ["req", ...(rsa ? NEW_RSA_KEY : NEW_KEY), "-out", "request.pem", "-subj", subject]);
          const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "extensions"];
          openssl(at, ["x509", "-req", "-in", "request.pem", ...signed, "-days", String(days), "-out", "cert.pem"]);
          return pairIn(at);
        }),
    };
  });
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem"];
const NEW_RSA_KEY = ["-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem"];

const openssl = (cwd: string, args: string[]) => execFileSync("openssl", args, { cwd, stdio: "pipe" });

const pairIn = (folder: string): KeyPair => ({
  cert: readFileSync(join(folder, "cert.pem"), "utf8"),
  key: readFileSync(join(folder, "key.pem"), "utf8"),
});

function inFolder<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "certificates-"));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
