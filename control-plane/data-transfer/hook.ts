import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";

/** A DataTransfer of a station, as a hook gets it. */
export interface StationDataTransfer {
  /** The same when the question is asked again: whoever must not do a thing twice goes by it. */
  transferId: string;
  chargePointId: string;
  organizationId: string;
  ocppVersion: OcppVersion;
  vendorId: string;
  /** Absent: the station named none. */
  messageId?: string;
  /** OCPP 1.6: a text. 2.x: any JSON. Absent: none was sent. */
  data?: unknown;
  /** ISO 8601, UTC, the gateway's clock. */
  receivedAt: string;
}

/** What the station is answered. */
export interface DataTransferAnswer {
  status: "Accepted" | "Rejected" | "UnknownMessageId" | "UnknownVendorId";
  /** OCPP 1.6: a text; 2.x: any JSON. */
  data?: unknown;
}

/**
 * What a module named in DATA_TRANSFER_HOOKS exports as its default: it answers the DataTransfers of one vendor's stations
 * (C16 §4.3, P2 P02). It runs in a thread of its own; what takes too long, throws or answers nonsense is "Rejected".
 */
export interface DataTransferHook {
  /** Compared in any case. */
  vendorId: string;
  /** The messages that it knows; all others of its vendor get UnknownMessageId. Absent: it judges all of them. */
  messageIds?: readonly string[];
  handle(transfer: StationDataTransfer): DataTransferAnswer | Promise<DataTransferAnswer>;
}
