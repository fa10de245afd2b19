// A DataTransfer hook: answers the messages of one vendor. See docs/data-transfer.md.
// DATA_TRANSFER_HOOKS=docs/examples/cable-temperature-hook.mjs

/** Variables that begin with DATA_TRANSFER_HOOK_ are all that a hook sees of the environment. */
const limitCelsius = Number(process.env.DATA_TRANSFER_HOOK_CABLE_LIMIT_CELSIUS ?? 80);

export default {
  vendorId: "com.example.charger",
  messageIds: ["cableTemperature"],

  /** The charger tells its cable's temperature, and is told whether to go on. */
  handle({ ocppVersion, data }) {
    // OCPP 1.6 has texts only; 2.x any JSON.
    const { celsius } = ocppVersion === "1.6" ? JSON.parse(data) : data;
    if (typeof celsius !== "number") return { status: "Rejected" };
    const advice = { goOn: celsius < limitCelsius };
    return { status: "Accepted", data: ocppVersion === "1.6" ? JSON.stringify(advice) : advice };
  },
};
