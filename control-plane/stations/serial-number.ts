import pg from "pg";

/**
 * The serial number as it counts: without spaces around it and without characters that cannot be seen, which phones and
 * scanners add. Upper and lower case stay apart, as on labels.
 */
export const serialNumberOf = (typed: string): string =>
  typed
    .normalize("NFC")
    .replace(/\p{Cf}/gu, "")
    .trim();

/** Whether a statement failed because another unit of the project has the serial number. */
export const isSerialNumberTaken = (fault: unknown): boolean =>
  fault instanceof pg.DatabaseError && fault.code === "23505" && fault.constraint === "stations_one_per_serial_number";
