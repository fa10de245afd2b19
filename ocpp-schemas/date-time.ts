/**
 * The moment that a schema-checked `date-time` names. The format lets through more than `new Date` reads: a leap second
 * (RFC 3339 §5.6), an offset of hours alone, a blank in place of T; an Invalid Date in an answered frame would be lost data.
 * A time without zone, which only a quirk profile or flagged transaction data lets through, is taken for UTC, as OCPP wants
 * its times (C16 §3.15): never for the zone of whoever reads it.
 * @returns undefined for what names no moment.
 */
export function parseDateTime(text: string): Date | undefined {
  const match = /^(\d{4}-\d\d-\d\d)[tT\s](\d\d:\d\d:)(\d\d)(\.\d+)?([zZ]|[+-]\d\d(?::?\d\d)?)?$/.exec(text);
  if (!match || !isDay(String(match[1]))) return undefined;
  const [, day, hoursMinutes, seconds, fraction, zone = "Z"] = match;
  // The leap second is the last moment that the clock of everyone else has.
  const secondsText = seconds === "60" ? "59.999" : `${seconds}${fraction?.slice(0, 4) ?? ""}`;
  const date = new Date(`${day}T${hoursMinutes}${secondsText}${zoneText(zone)}`);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/** 30 February would be read as 1 or 2 March. */
function isDay(day: string): boolean {
  const midnight = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day);
}

function zoneText(zone: string): string {
  if (zone.toUpperCase() === "Z") return "Z";
  const digits = zone.slice(1).replace(":", "").padEnd(4, "0");
  return `${zone[0]}${digits.slice(0, 2)}:${digits.slice(2)}`;
}
