import { createPrivateKey, generateKeyPairSync, randomBytes, webcrypto } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Utf8String } from "asn1js";
import {
  AttributeTypeAndValue,
  BasicConstraints,
  Certificate,
  CryptoEngine,
  Extension,
  getRandomValues,
  setEngine,
} from "pkijs";

/** The variable a process reads → the file that holds its value. Each is made on the first start and kept. */
export interface SecretFiles {
  variables: Record<string, string>;
  postgresPassword: string;
  redisPassword: string;
}

/**
 * Makes what is missing in the folder of secrets. Files are readable by their owner alone.
 *
 * @param folder `.local/secrets`
 */
export async function ensureSecrets(folder: string): Promise<SecretFiles> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  const kept = async (name: string, make: () => string | Promise<string>): Promise<string> => {
    const file = join(folder, name);
    if (!existsSync(file)) {
      writeFileSync(`${file}.tmp`, await make(), { mode: 0o600 });
      renameSync(`${file}.tmp`, file);
    }
    return file;
  };
  const base64 = () => randomBytes(32).toString("base64");
  const pdfKey = await kept("pdf-signing-key.pem", rsaKey);
  const caKey = await kept("local-ca-key.pem", rsaKey);
  const read = (file: string) => readFileSync(file, "utf8");
  return {
    variables: {
      JWT_SIGNING_KEY: await kept("jwt-signing-key.pem", rsaKey),
      PDF_SIGNING_KEY: pdfKey,
      PDF_SIGNING_CERT: await kept("pdf-signing-cert.pem", () => selfSigned(read(pdfKey), "Dynamo CSMS local stack")),
      LOCAL_CA_KEY: caKey,
      LOCAL_CA_CERT: await kept("local-ca-cert.pem", () =>
        selfSigned(read(caKey), "Dynamo CSMS local stack CA", "authority"),
      ),
      SECRETS_KEY: await kept("secrets-key", base64),
      STATION_PEPPERS: await kept("station-peppers", () => `1:${base64()}`),
    },
    // Letters and digits: they go into URLs and a configuration file.
    postgresPassword: read(await kept("postgres-password", () => randomBytes(24).toString("hex"))),
    redisPassword: read(await kept("redis-password", () => randomBytes(24).toString("hex"))),
  };
}

function rsaKey(): string {
  return generateKeyPairSync("rsa", { modulusLength: 3072 })
    .privateKey.export({ type: "pkcs8", format: "pem" })
    .toString();
}

/** An X.509 certificate that signs documents or certificates, good for ten years: nobody vouches for it, which is right for a local stack. */
async function selfSigned(
  keyPem: string,
  commonName: string,
  use: "documents" | "authority" = "documents",
): Promise<string> {
  setEngine("node", new CryptoEngine({ name: "node", crypto: webcrypto }));
  const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const privateKey = await webcrypto.subtle.importKey("pkcs8", derOf(keyPem), algorithm, false, ["sign"]);
  const publicJwk = { ...createPrivateKey(keyPem).export({ format: "jwk" }) };
  const publicKey = await webcrypto.subtle.importKey(
    "jwk",
    { kty: "RSA", n: publicJwk.n as string, e: publicJwk.e as string },
    algorithm,
    true,
    ["verify"],
  );

  const certificate = new Certificate({ version: 2 });
  const serial = new Uint8Array(16);
  getRandomValues(serial);
  // Positive (RFC 5280 §4.1.2.2), and no leading zero, which DER forbids (X.690 §8.3.2): one in 256 could not be read.
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  certificate.serialNumber.valueBlock.valueHexView = serial;
  for (const name of [certificate.subject, certificate.issuer]) {
    // commonName
    name.typesAndValues.push(
      new AttributeTypeAndValue({ type: "2.5.4.3", value: new Utf8String({ value: commonName }) }),
    );
  }
  certificate.notBefore.value = new Date(Date.now() - 86_400_000);
  certificate.notAfter.value = new Date(Date.now() + 3_652 * 86_400_000);
  certificate.extensions = [
    new Extension({
      extnID: "2.5.29.19",
      critical: true,
      extnValue: new BasicConstraints({ cA: use === "authority" }).toSchema().toBER(false),
    }),
    // keyUsage as DER: a BIT STRING with digitalSignature and nonRepudiation, or with keyCertSign and cRLSign
    new Extension({
      extnID: "2.5.29.15",
      critical: true,
      extnValue: new Uint8Array(use === "authority" ? [0x03, 0x02, 0x01, 0x06] : [0x03, 0x02, 0x06, 0xc0]).buffer,
    }),
  ];
  await certificate.subjectPublicKeyInfo.importKey(publicKey);
  await certificate.sign(privateKey, "SHA-256");
  const der = Buffer.from(certificate.toSchema(true).toBER(false));
  return `-----BEGIN CERTIFICATE-----\n${der.toString("base64").replace(/.{64}/g, "$&\n").trimEnd()}\n-----END CERTIFICATE-----\n`;
}

function derOf(pem: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ""), "base64"));
}
