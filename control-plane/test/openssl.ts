import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { promisify } from "node:util";

/** Certificates that somebody else made: OpenSSL's command line, with a folder of its own. */
export class OpenSsl {
  readonly folder = mkdtempSync(join(tmpdir(), "openssl-"));
  #made = 0;

  path(name: string): string {
    return join(this.folder, name);
  }

  run(...parameters: string[]): Buffer {
    return execFileSync("openssl", parameters, { cwd: this.folder, stdio: ["ignore", "pipe", "ignore"] });
  }

  /** A certificate request with a key of its own. @param key as `-newkey` takes it. */
  request(
    subject: string,
    key: string[] = ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
    hash = "sha256",
  ): { csr: string; key: string } {
    const name = `request-${++this.#made}`;
    const keyFile = this.path(`${name}.key`);
    this.run(
      "req",
      "-new",
      `-${hash}`,
      "-newkey",
      ...key,
      "-nodes",
      "-subj",
      subject,
      "-utf8",
      "-keyout",
      keyFile,
      "-out",
      this.path(name),
    );
    return { csr: readFileSync(this.path(name), "utf8"), key: readFileSync(keyFile, "utf8") };
  }

  /** A root authority: its key and certificate. */
  root(name: string, days = 30): { key: string; certificate: string } {
    this.run(
      ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes".split(" "),
      ...[
        "-subj",
        `/O=Test/CN=${name}`,
        "-days",
        String(days),
        "-keyout",
        this.path(`${name}.key`),
        "-out",
        this.path(`${name}.pem`),
      ],
      ...[
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign,digitalSignature",
      ],
    );
    return {
      key: readFileSync(this.path(`${name}.key`), "utf8"),
      certificate: readFileSync(this.path(`${name}.pem`), "utf8"),
    };
  }

  /** A certificate for this subject, issued by a root of ours. @param extension lines of an OpenSSL extension file. */
  issue(
    root: string,
    subject: string,
    serial: number,
    { days = 30, extension = "" } = {},
  ): { certificate: string; key: string } {
    const { csr, key } = this.request(subject);
    const name = `issued-${++this.#made}`;
    writeFileSync(this.path(`${name}.csr`), csr);
    writeFileSync(this.path(`${name}.ext`), extension);
    this.run(
      ...[
        "x509",
        "-req",
        "-in",
        this.path(`${name}.csr`),
        "-CA",
        this.path(`${root}.pem`),
        "-CAkey",
        this.path(`${root}.key`),
      ],
      ...[
        "-set_serial",
        String(serial),
        "-days",
        String(days),
        "-extfile",
        this.path(`${name}.ext`),
        "-out",
        this.path(`${name}.pem`),
      ],
    );
    return { certificate: readFileSync(this.path(`${name}.pem`), "utf8"), key };
  }

  /** What `openssl verify` says of a certificate under a root. */
  verifies(root: string, certificate: string): boolean {
    const file = this.path(`verify-${++this.#made}.pem`);
    writeFileSync(file, certificate);
    try {
      this.run("verify", "-CAfile", this.path(`${root}.pem`), "-purpose", "sslclient", file);
      return true;
    } catch {
      return false;
    }
  }

  /** An OCSP responder of this root on this machine. @param states V (valid) or R (revoked) by decimal serial number. @param period until the next update; empty: none is named. */
  async responder(
    root: string,
    states: Record<number, "V" | "R">,
    period = ["-nmin", "60"],
  ): Promise<{ url: string; stop(): Promise<void> }> {
    const index = Object.entries(states).map(([serial, state]) => {
      const hex = Number(serial).toString(16).toUpperCase();
      return `${state}\t991231235959Z\t${state === "R" ? "260101000000Z" : ""}\t${hex.length % 2 ? `0${hex}` : hex}\tunknown\t/CN=x\n`;
    });
    const indexFile = this.path(`index-${++this.#made}.txt`);
    writeFileSync(indexFile, index.join(""));
    const child = spawn(
      "openssl",
      [
        "ocsp",
        "-index",
        indexFile,
        "-port",
        "0",
        "-CA",
        this.path(`${root}.pem`),
        "-rsigner",
        this.path(`${root}.pem`),
        "-rkey",
        this.path(`${root}.key`),
        ...period,
      ],
      { stdio: ["ignore", "pipe", "ignore"] },
    );
    const gone = once(child, "exit");
    return {
      url: `http://127.0.0.1:${await portIn(child.stdout)}/`,
      async stop() {
        child.kill();
        await gone;
      },
    };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** OpenSSL says `ACCEPT [::]:45999 PID=…` when it listens. */
async function portIn(output: Readable): Promise<string> {
  let text = "";
  for await (const chunk of output.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    const port = /ACCEPT \S*:(\d+) /.exec(text)?.[1];
    if (port !== undefined) return port;
  }
  throw new Error("the OCSP responder did not start");
}

/** OpenSSL's own reading of something, for what it prints. */
export const opensslText = async (parameters: string[], input: string): Promise<string> => {
  const running = promisify(execFile)("openssl", parameters);
  running.child.stdin?.end(input);
  return (await running).stdout;
};
