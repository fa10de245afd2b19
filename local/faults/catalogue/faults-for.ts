import type { Fault, Scale, Topology } from "../contract.ts";
import { CONNECTION_FAULTS } from "./connection-faults.ts";
import { CONTROL_PLANE_FAULTS } from "./control-plane-faults.ts";
import { GATEWAY_FAULTS } from "./gateway-faults.ts";
import { INTAKE_FAULTS } from "./intake-faults.ts";
import { POSTGRES_FAILOVER_FAULTS } from "./postgres-failover-faults.ts";
import { POSTGRES_FAULTS } from "./postgres-faults.ts";
import { REDIS_FAULTS } from "./redis-faults.ts";

/** Every fault that can be played. */
export const ALL_FAULTS: readonly Fault[] = [
  ...GATEWAY_FAULTS,
  ...INTAKE_FAULTS,
  ...REDIS_FAULTS,
  ...POSTGRES_FAULTS,
  ...POSTGRES_FAILOVER_FAULTS,
  ...CONTROL_PLANE_FAULTS,
  ...CONNECTION_FAULTS,
];

/** The ones that matter most where Redis is more than one server: in the short form they stand for all. */
const SHORT_ELSEWHERE = new Set(["A1", "A6", "A7"]);

/** Nothing of it would be left in a short form. */
const LONG_ONLY = new Set(["SOAK"]);

/** The faults to play on a topology. */
export function faultsFor(topology: Topology, form: Scale["form"], only?: ReadonlySet<string>): readonly Fault[] {
  return ALL_FAULTS.filter(
    ({ id, topologies }) =>
      topologies.includes(topology) &&
      (only === undefined
        ? form === "long" || (topology === "single" && !LONG_ONLY.has(id)) || SHORT_ELSEWHERE.has(id)
        : only.has(id)),
  );
}
