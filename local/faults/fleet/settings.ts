/** How the stations of a fleet behave. All of it may be changed while they run. */
export interface FleetSettings {
  /** How many addresses of 127.0.0.0/8 the stations come from. 1: all from one, as behind a NAT. */
  sourceAddresses: number;
  connectors: number;
  /** A CALL that has no answer for this long: the station drops the connection. */
  answerTimeoutMs: number;
  handshakeTimeoutMs: number;
  /** RetryBackOffWaitMinimum, -RandomRange and -RepeatTimes (2.x OCPPCommCtrlr), in ms and doublings. */
  retryBackOffWaitMinimumMs: number;
  retryBackOffRandomRangeMs: number;
  retryBackOffRepeatTimes: number;
  /** TransactionMessageAttempts and -RetryInterval (1.6 §3.7.1; 2.x E13: MessageAttempts, MessageAttemptInterval). */
  transactionMessageAttempts: number;
  transactionMessageRetryIntervalMs: number;
  /** OfflineThreshold: away for longer, a station tells all its statuses again, not only those that changed (2.x B04). */
  offlineThresholdMs: number;
  /** How many messages of its transactions a station makes while it is away; it keeps them for ever. */
  offlineQueue: number;
  /** Whether a station that has accepted a Reset boots again. */
  rebootOnReset: boolean;
  /** How long it takes to answer our CALLs: up to this, and a few take two seconds. */
  commandDelayMs: number;
  /** How long it waits after a BootNotification that was refused, or whose answer says 0. */
  bootRetryMs: number;
}

export const DEFAULT_SETTINGS: Readonly<FleetSettings> = {
  sourceAddresses: 4_000,
  connectors: 2,
  answerTimeoutMs: 30_000,
  handshakeTimeoutMs: 20_000,
  retryBackOffWaitMinimumMs: 1_000,
  retryBackOffRandomRangeMs: 2_000,
  retryBackOffRepeatTimes: 4,
  transactionMessageAttempts: 3,
  transactionMessageRetryIntervalMs: 2_000,
  offlineThresholdMs: 60_000,
  offlineQueue: 8,
  rebootOnReset: false,
  commandDelayMs: 50,
  bootRetryMs: 5_000,
};
