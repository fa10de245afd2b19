/** SCANNER_FRAMES for a longer run, SCANNER_SEED for the same payloads again, or for others. */
export const scannerSettings = {
  frames: Number(process.env["SCANNER_FRAMES"] ?? 40_000),
  seed: Number(process.env["SCANNER_SEED"] ?? 20_260_131),
};
