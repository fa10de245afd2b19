import type { Message } from "./outbox.ts";
import type { FleetSettings } from "./settings.ts";

/** What a station's story is told with. */
export interface Teller {
  readonly settings: FleetSettings;
  readonly identity: string;
  /** Which token everybody charges with. */
  readonly idTag: string;
  say(message: Message): void;
  isConnected(): boolean;
  /** Messages of transactions that wait to be sent or answered. */
  transactionMessages(): number;
  /** The station's clock, as OCPP writes it; never the same twice, never backwards. */
  timestamp(): string;
  random(): number;
  /** 1, 2, 3, … */
  nextNumber(): number;
}

/** Whether a station takes a command, and what it does behind its answer. */
export type Reply = { result: Record<string, unknown>; follow?: () => void } | { error: "NotImplemented" };

/** What a station of one OCPP version tells of itself: whole transactions, one after the other, a message at a time. */
export interface Story {
  boot(reason: "PowerUp" | "RemoteReset"): Message;
  /** The registration was accepted: the connectors' statuses are told. */
  booted(): void;
  /** Connected again after this long: what changed meanwhile, or got lost, is told. */
  reconnected(awayMs: number): void;
  /** Tells the next thing; without a connection only what is kept for later. */
  tell(): void;
  command(action: string, payload: Record<string, unknown>): Reply;
  /** The station starts anew, as a Reset of this type asks for: a transaction ends. */
  rebooting(type: string): void;
}

/** Of a hundred tellings so many are a Heartbeat: a station that talks needs none. */
export const HEARTBEAT_SHARE = 0.01;
/** Of the transactions so many ask for authorization before they start. */
export const AUTHORIZE_SHARE = 0.3;

/** How many readings a transaction has between its start and its end. */
export const readingsOf = (random: number): number => 3 + Math.floor(random * 6);

export const heartbeat = (): Message => ({
  action: "Heartbeat",
  key: "heartbeat",
  transactional: false,
  payload: () => ({}),
});
