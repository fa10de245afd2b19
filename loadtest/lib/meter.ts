/** One sampled value, before a version spells it. */
export interface Reading {
  measurand: string;
  phase?: string;
  value: number;
  unit: string;
}

/** The meter of one connector: three phases, an energy register that never runs backwards. */
export class Meter {
  energyWh: number;
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
    this.energyWh = 10_000 + Math.floor(random() * 1_000_000);
  }

  register(): Reading[] {
    return [{ measurand: "Energy.Active.Import.Register", value: this.energyWh, unit: "Wh" }];
  }

  /** A minute of charging later: register, power, and the current of each phase. */
  sample(): Reading[] {
    const amperes = 60 + Math.floor(this.#random() * 260);
    this.energyWh += Math.round((amperes * 69) / 60);
    return [
      ...this.register(),
      { measurand: "Power.Active.Import", value: amperes * 69, unit: "W" },
      ...["L1", "L2", "L3"].map((phase) => ({
        measurand: "Current.Import",
        phase,
        value: amperes / 10,
        unit: "A",
      })),
    ];
  }
}
