import type { X509Certificate } from "node:crypto";
import type { HttpRequest, HttpResponse } from "uWebSockets.js";
import type { UpgradeClaim } from "./admission.ts";
import { certificateOfHeader, readClientCertificate, type ClientCertificate } from "./client-certificate.ts";
import type { ListenerProfile } from "./listener.ts";
import { remotePeer, type TrustedProxies } from "./remote-address.ts";

export interface ClaimSettings {
  trustedProxies: TrustedProxies;
  /** Lower case; undefined: no proxy passes certificates on. */
  clientCertificateHeader?: string;
  /** Who must have issued a certificate that a proxy passes on; undefined: whoever the proxy takes. */
  clientAuthorities?: readonly X509Certificate[];
}

/** Takes everything out of the request and the socket that admission asks for: neither may be touched after the first await. */
export function readClaim(
  res: HttpResponse,
  req: HttpRequest,
  listener: ListenerProfile,
  settings: ClaimSettings,
): UpgradeClaim {
  // A repeated header is one list; getHeader would give the first alone, which may be the station's own words in front of
  // the line that a proxy added (HAProxy's forwardfor).
  const offered: string[] = [];
  const certificates: string[] = [];
  const forwardedFor: string[] = [];
  let forwardedProto = "";
  req.forEach((name, value) => {
    if (name === "sec-websocket-protocol") offered.push(value);
    if (name === settings.clientCertificateHeader) certificates.push(value);
    if (name === "x-forwarded-for") forwardedFor.push(value);
    if (name === "x-forwarded-proto") forwardedProto = value;
  });
  const peer = remotePeer(
    {
      socketAddress: textOf(res.getRemoteAddressAsText()),
      proxiedAddress: textOf(res.getProxiedRemoteAddressAsText()),
      forwardedFor: forwardedFor.join(","),
      forwardedProto,
    },
    settings.trustedProxies,
  );
  const certificate =
    listener === 3
      ? certificateOfSocket(res)
      : peer.headersTrusted
        ? passedOn(certificates, settings.clientAuthorities)
        : undefined;
  const spoken = peer.tls === undefined ? listener : peer.tls ? 2 : 1;
  return {
    path: req.getUrl(),
    subprotocols: offered.join(","),
    authorization: req.getHeader("authorization"),
    remoteAddress: peer.address,
    listener: listener === 3 || certificate !== undefined ? 3 : spoken,
    ...(certificate === undefined ? {} : { certificate }),
  };
}

/** Bytes of the library as text. */
export const textOf = (bytes: ArrayBuffer): string => Buffer.from(bytes).toString("latin1");

/** A proxy that adds its header behind a forged one, instead of replacing it, sends two: then neither counts. */
function passedOn(
  headers: readonly string[],
  authorities: readonly X509Certificate[] | undefined,
): ClientCertificate | undefined {
  const certificate = headers.length === 1 ? certificateOfHeader(headers[0] as string) : undefined;
  if (certificate === undefined || authorities === undefined) return certificate;
  return certificate.isIssuedBy(authorities) ? certificate : undefined;
}

/**
 * The certificate that the TLS handshake verified. The library asks for one and goes on without: none is "". One that is out
 * of date or of another authority ends the handshake.
 */
function certificateOfSocket(res: HttpResponse): ClientCertificate | undefined {
  // Missing in the library's type declarations.
  const pem: unknown = (res as { getX509Certificate?: () => unknown }).getX509Certificate?.();
  return typeof pem === "string" && pem !== "" ? readClientCertificate(pem) : undefined;
}
