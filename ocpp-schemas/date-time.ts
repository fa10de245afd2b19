/**
 * The moment that a schema-checked `date-time` names. The format lets through more than `new Date` reads: a leap second
 * (RFC 3339 §5.6), an offset of hours alone, a blank in place of T; an Invalid Date in an answered frame would be lost data.
 * @returns undefined for text that no schema check lets through.
 */
export function parseDateTime(checked: string): Date | undefined {
  const match = /^(\d{4}-\d\d-\d\d)[tT\s](\d\d:\d\d:)(\d\d)(\.\d+)?([zZ]|[+-]\d\d(?::?\d\d)?)$/.exec(checked);
  if (!match) return undefined;
  const [, day, hoursMinutes, seconds, fraction, zone] = match;
  // The leap second is the last moment that the clock of everyone else has.
  const secondsText = seconds === "60" ? "59.999" : `${seconds}${fraction?.slice(0, 4) ?? ""}`;
  const date = new Date(`${day}T${hoursMinutes}${secondsText}${zoneText(String(zone))}`);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

function zoneText(zone: string): string {
  if (zone.toUpperCase() === "Z") return "Z";
  const digits = zone.slice(1).replace(":", "").padEnd(4, "0");
  return `${zone[0]}${digits.slice(0, 2)}:${digits.slice(2)}`;
}
