/** Columns in which an idTag or idToken may stand inside JSON text, by table; `scope` finds a station's rows. */
export interface TokenPlace {
  table: string;
  columns: readonly { name: string; type: "text" | "json" | "jsonb" }[];
  scope: "station" | "identity";
}

/**
 * Where what stations and operators sent is kept as it came. A table that is missing here keeps the token for ever:
 * erasures.test.ts looks through all of them.
 */
export const TOKEN_PLACES: readonly TokenPlace[] = [
  {
    table: "message_log",
    columns: [
      { name: "raw", type: "text" },
      { name: "answer", type: "text" },
    ],
    scope: "station",
  },
  {
    table: "transactions",
    columns: [
      { name: "start_answer", type: "jsonb" },
      { name: "stop_payload", type: "jsonb" },
      { name: "stop_answer", type: "jsonb" },
    ],
    scope: "station",
  },
  {
    table: "transaction_events",
    columns: [
      { name: "payload", type: "jsonb" },
      { name: "answer", type: "jsonb" },
    ],
    scope: "station",
  },
  { table: "quarantine", columns: [{ name: "raw", type: "text" }], scope: "station" },
  {
    table: "commands",
    columns: [
      { name: "payload", type: "json" },
      { name: "response", type: "json" },
    ],
    scope: "station",
  },
  {
    table: "data_transfers",
    columns: [
      { name: "data", type: "json" },
      { name: "response_data", type: "json" },
    ],
    scope: "station",
  },
  { table: "dead_letters", columns: [{ name: "frame", type: "jsonb" }], scope: "identity" },
];

/** The same of what organisations were told: found by its own keys, page by page (event-pages.ts). */
export const EVENTS_PLACE: Omit<TokenPlace, "scope"> = { table: "events", columns: [{ name: "data", type: "json" }] };

/** Columns that hold a token and nothing else, in whatever case it came. */
export const TOKEN_COLUMNS: readonly { table: string; column: string }[] = [
  { table: "transactions", column: "id_token" },
  { table: "transactions", column: "stop_id_token" },
  { table: "reservations", column: "id_token" },
  { table: "reservations", column: "group_id_token" },
  { table: "local_list_entries", column: "token_key" },
  { table: "local_list_entries", column: "id_token" },
  { table: "local_list_entries", column: "group_id_token" },
];
