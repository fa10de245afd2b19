import type { Fault } from "../contract.ts";
import { CHURN_FAULTS } from "./connection-churn-faults.ts";
import { CONTEST_FAULTS } from "./connection-contest-faults.ts";
import { HALF_OPEN_FAULTS } from "./connection-half-open-faults.ts";
import { LINE_FAULTS } from "./connection-line-faults.ts";
import { LOAD_FAULTS } from "./connection-load-faults.ts";
import { SOAK } from "./connection-soak.ts";
import { STORM_FAULTS } from "./connection-storm-faults.ts";

/** What stations and the lines to them do to a gateway, and the soak. */
export const CONNECTION_FAULTS: readonly Fault[] = [
  ...STORM_FAULTS,
  ...CHURN_FAULTS,
  ...HALF_OPEN_FAULTS,
  ...CONTEST_FAULTS,
  ...LINE_FAULTS,
  ...LOAD_FAULTS,
  SOAK,
];
