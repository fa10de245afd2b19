import { storableText } from "../message-log/storable-text.ts";
import { isObject } from "./read-fields.ts";

/** A value that the meter signed, as the station sent it: any change of the text would break the signature. */
export interface SignedSample {
  signedData: string;
  signingMethod: string | null;
  encodingMethod: string | null;
  publicKey: string | null;
  context: string | null;
  measurand: string | null;
}

/** How texts of the Open Charge Metering Format begin, also where a station does not call them signed. */
const OCMF = "OCMF|";

/**
 * The signed value in a SampledValue: 1.6 `format: "SignedData"` with the data as its value (C16 §7.43), 2.x
 * `signedMeterValue` (P2 SignedMeterValueType). Undefined: the sample holds none.
 */
export function signedSampleOf(sample: Record<string, unknown>): SignedSample | undefined {
  const text = (value: unknown) => (typeof value === "string" ? storableText(value) : null);
  const of2x = isObject(sample["signedMeterValue"]) ? sample["signedMeterValue"] : undefined;
  const value = text(sample["value"]);
  const signedData =
    text(of2x?.["signedMeterData"]) ??
    (sample["format"] === "SignedData" || value?.startsWith(OCMF) === true ? value : null);
  if (signedData === null || signedData === "") return undefined;
  return {
    signedData,
    signingMethod: text(of2x?.["signingMethod"]),
    encodingMethod: text(of2x?.["encodingMethod"]) ?? (signedData.startsWith(OCMF) ? "OCMF" : null),
    publicKey: text(of2x?.["publicKey"]),
    context: text(sample["context"]),
    measurand: text(sample["measurand"]),
  };
}
