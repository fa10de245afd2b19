import { createPrivateKey, createPublicKey, webcrypto } from "node:crypto";
import { Utf8String } from "asn1js";
import { AttributeTypeAndValue, Certificate, CryptoEngine, setEngine } from "pkijs";

/** A certificate for a document signing key of a test, as PEM: issued by itself, by default good for a day. @param keyPem RSA or EC P-256, PKCS#8. */
export async function selfSigned(
  keyPem: string,
  commonName = "Test signer",
  notAfter = new Date(Date.now() + 86_400_000),
): Promise<string> {
  setEngine("node", new CryptoEngine({ name: "node", crypto: webcrypto as unknown as typeof globalThis.crypto }));
  const key = createPrivateKey(keyPem);
  const algorithm =
    key.asymmetricKeyType === "ec"
      ? { name: "ECDSA", namedCurve: "P-256" }
      : { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const privateKey = await webcrypto.subtle.importKey(
    "pkcs8",
    key.export({ type: "pkcs8", format: "der" }),
    algorithm,
    false,
    ["sign"],
  );
  const publicKey = await webcrypto.subtle.importKey(
    "spki",
    createPublicKey(key).export({ type: "spki", format: "der" }),
    algorithm,
    true,
    ["verify"],
  );
  const certificate = new Certificate({ version: 2 });
  certificate.serialNumber.valueBlock.valueHexView = new Uint8Array([1]);
  for (const name of [certificate.subject, certificate.issuer])
    name.typesAndValues.push(
      new AttributeTypeAndValue({ type: "2.5.4.3", value: new Utf8String({ value: commonName }) }),
    );
  certificate.notBefore.value = new Date(Math.min(Date.now(), notAfter.getTime()) - 3_600_000);
  certificate.notAfter.value = notAfter;
  await certificate.subjectPublicKeyInfo.importKey(publicKey);
  await certificate.sign(privateKey, "SHA-256");
  const base64 = Buffer.from(certificate.toSchema(true).toBER(false)).toString("base64");
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}/g, "$&\n").trimEnd()}\n-----END CERTIFICATE-----\n`;
}
