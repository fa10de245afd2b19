import { domainToASCII } from "node:url";
import { err, ok, type Result } from "@dynamo-csms/proto/result";

/** RFC 5321 §4.5.3.1: octets in all, and before the @. */
export const MAX_EMAIL_LENGTH = 254;
const MAX_LOCAL_LENGTH = 64;

/** RFC 5322 dot-atom. */
const LOCAL = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;
const NOT_ASCII = /[^\p{ASCII}]/u;

/**
 * One bare e-mail address, its domain in the form that travels: an internationalised one in Punycode (RFC 5890), an ASCII
 * one as it was typed. Or why it is none, as what follows the field's name.
 */
export function readEmailAddress(text: string): Result<string, string> {
  const at = text.lastIndexOf("@");
  const [local, typed] = [text.slice(0, at), text.slice(at + 1)];
  if (at < 1 || typed === "" || /\s/.test(text))
    return err("must be one e-mail address, such as alex@acme-ev-installs.com");
  if (NOT_ASCII.test(local))
    return err("may have ASCII characters alone before the @; only the domain may have others");
  if (local.startsWith('"')) return err("may not have a quoted name before the @");
  if (local.length > MAX_LOCAL_LENGTH) return err(`may have at most ${MAX_LOCAL_LENGTH} characters before the @`);
  if (!LOCAL.test(local))
    return err(
      "has a character before the @ that is not accepted, or a dot at its beginning, its end or beside another",
    );
  const domain = asciiDomain(typed);
  const labels = domain.split(".");
  if (domain.startsWith("[") || /^[\d.]+$/.test(domain))
    return err("must name a domain behind the @, not an IP address");
  if (labels.length < 2) return err("must have a full domain behind the @, such as acme-ev-installs.com");
  if (!labels.every((label) => LABEL.test(label)) || !/^([a-z]{2,}|xn--.+)$/i.test(labels.at(-1) ?? ""))
    return err("has no valid domain behind the @");
  const address = `${local}@${domain}`;
  return address.length > MAX_EMAIL_LENGTH
    ? err(`may have at most ${MAX_EMAIL_LENGTH} characters, with its domain in Punycode`)
    : ok(address);
}

/** What an address is found by. Local parts may differ by case in theory; two accounts that differ so would only confuse. */
export function emailKey(address: string): string {
  const at = address.lastIndexOf("@");
  return `${address.slice(0, at + 1).normalize("NFC")}${asciiDomain(address.slice(at + 1))}`.toLowerCase();
}

/** As it is when it is ASCII, or when it cannot be converted. */
function asciiDomain(domain: string): string {
  // The converter reads URLs: it would decode percent signs, and cut at a slash.
  if (!NOT_ASCII.test(domain) || /[%/?#\\:@[\]]/.test(domain)) return domain;
  return domainToASCII(domain) || domain;
}
