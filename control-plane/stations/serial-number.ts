/**
 * The serial number as it counts: without spaces around it and without characters that cannot be seen, which phones and
 * scanners add. Upper and lower case stay apart, as on labels.
 */
export const serialNumberOf = (typed: string): string =>
  typed
    .normalize("NFC")
    .replace(/\p{Cf}/gu, "")
    .trim();
