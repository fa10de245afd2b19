interface Shape {
  must: readonly string[];
  may: readonly string[];
}

const NOTHING: Shape = { must: [], may: [] };
/** What answers have; those to the fleet's other CALLs are empty. */
const SHAPES: Readonly<Record<string, Shape>> = {
  "1.6 Authorize": { must: ["idTagInfo"], may: [] },
  "2 Authorize": { must: ["idTokenInfo"], may: ["certificateStatus", "allowedEnergyTransfer", "tariff"] },
  "1.6 BootNotification": { must: ["currentTime", "interval", "status"], may: [] },
  "2 BootNotification": { must: ["currentTime", "interval", "status"], may: ["statusInfo"] },
  "1.6 Heartbeat": { must: ["currentTime"], may: [] },
  "2 Heartbeat": { must: ["currentTime"], may: [] },
  "1.6 StartTransaction": { must: ["idTagInfo", "transactionId"], may: [] },
  "1.6 StopTransaction": { must: [], may: ["idTagInfo"] },
  "2 TransactionEvent": {
    must: [],
    may: [
      "chargingPriority",
      "idTokenInfo",
      "totalCost",
      "transactionLimit",
      "updatedPersonalMessage",
      "updatedPersonalMessageExtra",
    ],
  },
};

/** Whether this can be the answer to a CALL of that action: a reply must reach its own request. */
export function fitsAction(version: string, action: string, answer: object): boolean {
  const { must, may } = SHAPES[`${version === "1.6" ? "1.6" : "2"} ${action}`] ?? NOTHING;
  const names = Object.keys(answer);
  return (
    must.every((name) => Object.hasOwn(answer, name)) &&
    names.every((name) => must.includes(name) || may.includes(name))
  );
}
