import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import type { Requests16, Responses16 } from "./generated/payloads-1.6.ts";
import type { Requests201, Responses201 } from "./generated/payloads-2.0.1.ts";
import type { Requests21, Responses21 } from "./generated/payloads-2.1.ts";

interface Requests {
  "1.6": Requests16;
  "2.0.1": Requests201;
  "2.1": Requests21;
}

interface Responses {
  "1.6": Responses16;
  "2.0.1": Responses201;
  "2.1": Responses21;
}

/** Every action that a version's schemas know. */
export type Action<V extends OcppVersion> = keyof Requests[V] & string;
export type Action16 = Action<"1.6">;
export type Action201 = Action<"2.0.1">;
export type Action21 = Action<"2.1">;

/** What a CALL (in 2.1 also a SEND) carries: `RequestPayload<"1.6", "BootNotification">`. True only after `validatePayload`. */
export type RequestPayload<V extends OcppVersion, A extends Action<V>> = Requests[V][A];

/** What a CALLRESULT carries; `never` for a SEND, which has no answer. */
export type ResponsePayload<V extends OcppVersion, A extends Action<V>> = A extends keyof Responses[V]
  ? Responses[V][A]
  : never;
