import type { DiagnoseConnection } from "../commissioning/advance-commissioning.ts";
import { type EvidenceDeps, loadConnectionEvidence } from "./connection-evidence.ts";
import { diagnose } from "./diagnose.ts";

/** Says why a station is not connected; as far as Postgres knows while Redis is away. */
export const createConnectionDiagnosis =
  (deps: EvidenceDeps): DiagnoseConnection =>
  async (sql, stationId) =>
    diagnose(await loadConnectionEvidence(sql, deps, stationId));
