/**
 * One bare address that cannot be anything else: no display name, no list, no quotes, no control characters. Non-ASCII
 * letters pass (RFC 6531). Mails are addressed with what passes here alone, so no name or address can add a header or a
 * recipient.
 */
export function isBareAddress(text: string): boolean {
  return (
    text.length <= 254 &&
    /^[^\s\p{Cc}\p{Zl}\p{Zp}<>()[\]\\,;:"@]{1,64}@[^\s\p{Cc}\p{Zl}\p{Zp}<>()[\]\\,;:"@]+$/u.test(text)
  );
}

export interface Sender {
  name: string;
  address: string;
}

/** Reads MAIL_FROM: `Name <address>` or an address. Throws with the reason when it is neither. */
export function parseMailFrom(text: string): Sender {
  const named = /^([^<>\p{Cc}]*)<([^<>]+)>$/u.exec(text.trim());
  const name = (named?.[1] ?? "").trim().replace(/^"(.*)"$/, "$1");
  const address = (named?.[2] ?? text).trim();
  if (!isBareAddress(address)) throw new Error("want an address, or `Name <address>`");
  return { name, address };
}
