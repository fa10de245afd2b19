import { OCPP_VERSIONS } from "@dynamo-csms/proto/ocpp-version";
import { z } from "zod";
import { oneLine } from "../http/fields.ts";

/** Where a unit stands. */
export const location = z.strictObject({
  latitude: z.number().min(-90).max(90),
  longitude: z.number().min(-180).max(180),
  description: oneLine(500).optional(),
});
/** What is said of a unit when it is registered, and can be corrected later. */
export const unit = {
  serial_number: oneLine(64),
  model: oneLine(100),
  vendor: oneLine(100),
  ocpp_version: z.enum(OCPP_VERSIONS),
  max_power_kw: z.number().gt(0).max(100_000),
  connector_count: z.number().int().min(1).max(100),
};
