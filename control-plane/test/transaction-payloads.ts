/** The epoch of the connections of these tests. */
export const EPOCH = 1_700_000_000_000;

const DAY_MS = 86_400_000;
/** A moment so many days ago, and minutes later. */
export const daysAgo = (days: number, minutes = 0): string =>
  new Date(Date.now() - days * DAY_MS + minutes * 60_000).toISOString();

/** StartTransaction.req of the token `card-1`. */
export const start = (more: object = {}): object => ({
  connectorId: 1,
  idTag: "card-1",
  meterStart: 100,
  timestamp: "2026-05-01T10:00:00Z",
  ...more,
});

/** StartTransaction.conf. */
export const accepted = (transactionId: unknown): object => ({ transactionId, idTagInfo: { status: "Accepted" } });

/** TransactionEventRequest of the transaction `tx-1`. */
export const event = (eventType: string, seqNo: number, more: object = {}) => ({
  eventType,
  timestamp: `2026-05-01T10:0${seqNo}:00Z`,
  triggerReason: "ChargingStateChanged",
  seqNo,
  transactionInfo: { transactionId: "tx-1" },
  evse: { id: 1, connectorId: 1 },
  ...more,
});
