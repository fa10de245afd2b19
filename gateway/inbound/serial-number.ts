import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";

/**
 * Security profile 3: the serial number that a station tells at boot has to be the common name of its certificate (2.x Part 2
 * B01.FR.11 and B01.FR.12; 1.6 security extension A00.FR.405). Undefined: it is, or none is told. The field is optional in
 * every version, and only numbers that differ end the connection: a station that leaves it out was already compared with the
 * serial number on file, by its certificate, when it connected.
 * @param commonName of the certificate @param boot a valid BootNotification @returns what differs, for a person
 */
export function serialMismatch(version: OcppVersion, commonName: string, boot: object): string | undefined {
  const serial = serialOf(version, boot);
  if (serial === undefined || serial === "") return undefined;
  // A CiString in 1.6, a plain string in 2.x.
  const isSame = version === "1.6" ? serial.toLowerCase() === commonName.toLowerCase() : serial === commonName;
  return isSame
    ? undefined
    : `BootNotification tells the serial number ${shown(serial)}, the certificate ${shown(commonName)}`;
}

/** `chargeBoxSerialNumber` is what older 1.6 stations have in its place (C16 §6.4). */
function serialOf(version: OcppVersion, boot: object): string | undefined {
  const fields = boot as {
    chargePointSerialNumber?: string;
    chargeBoxSerialNumber?: string;
    chargingStation?: { serialNumber?: string };
  };
  return version === "1.6"
    ? (fields.chargePointSerialNumber ?? fields.chargeBoxSerialNumber)
    : fields.chargingStation?.serialNumber;
}

/** Both come from outside. */
const shown = (text: string): string => JSON.stringify(text.slice(0, 64).replace(/[^\x20-\x7e]/g, "?"));
