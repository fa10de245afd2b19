/** One sampled value, before a version spells it. */
export interface Reading {
  measurand: string;
  phase?: string;
  value: number;
  unit: string;
}

/** A station's meter: the energy register never runs backwards. */
export class Meter {
  energyWh = 12_500;
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** The register alone, as at the beginning and the end of a transaction. */
  register(): Reading[] {
    return [{ measurand: "Energy.Active.Import.Register", value: this.energyWh, unit: "Wh" }];
  }

  /** Some energy later: register, power, currents and, some of the time, voltage and state of charge. */
  sample(): Reading[] {
    const random = this.#random;
    this.energyWh += 20 + Math.floor(random() * 200);
    const amperes = 8 + Math.floor(random() * 240) / 10;
    const readings = this.register();
    readings.push({ measurand: "Power.Active.Import", value: Math.round(amperes * 690), unit: "W" });
    for (const phase of ["L1", "L2", "L3"])
      readings.push({ measurand: "Current.Import", phase, value: amperes, unit: "A" });
    if (random() < 0.5)
      readings.push({ measurand: "Voltage", phase: "L1-N", value: 228 + Math.floor(random() * 5), unit: "V" });
    if (random() < 0.3) readings.push({ measurand: "SoC", value: Math.floor(random() * 100), unit: "Percent" });
    return readings;
  }
}
