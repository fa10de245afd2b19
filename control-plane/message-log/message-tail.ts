import type { Sql } from "../database.ts";
import { messageColumns, type MessageRow, SHOWN_CHARACTERS } from "./message-view.ts";

/** A frame's place among those of its station. */
export interface Place {
  epoch: number;
  seq: number;
}

/** Rows of one look: with frames of the largest size a few MiB. */
const MAX_ROWS = 100;
/**
 * A CALL that is decided elsewhere is filed behind younger frames of its connection. So each look goes back this far;
 * more than a connection may have undecided, and less than MAX_ROWS.
 */
const LOOK_BACK = 50;
/** The gateways' clocks may be this far behind; what is older is in partitions that need not be opened. */
const CLOCKS = "1 hour";

/** `<epoch>-<seq>`: the id of events. Undefined for anything else. */
export function readPlace(text: string | undefined): Place | undefined {
  const [, epoch, seq] = /^(\d{1,15})-(\d{1,9})$/.exec(text ?? "") ?? [];
  return epoch === undefined || seq === undefined ? undefined : { epoch: Number(epoch), seq: Number(seq) };
}

/** Where a station's log ends now. */
export async function newestPlace(sql: Sql, stationId: string): Promise<Place> {
  const [row] = await sql.query<{ epoch: string; seq: number }>(
    `select epoch::text as epoch, seq from message_log where station_id = $1 order by message_log.epoch desc, seq desc limit 1`,
    [stationId],
  );
  return { epoch: Number(row?.epoch ?? 0), seq: row?.seq ?? 0 };
}

/** Follows the log of one station from a place on: each call gives what has come since, each frame once. */
export class MessageTail {
  readonly #sql: Sql;
  readonly #stationId: string;
  /** Nothing at or before it is given. */
  readonly #from: Place;
  #last: Place;
  #given = new Set<number>();

  constructor(sql: Sql, stationId: string, from: Place) {
    this.#sql = sql;
    this.#stationId = stationId;
    this.#from = from;
    this.#last = from;
  }

  /** The next frames, oldest first; a limited number. */
  async next(): Promise<MessageRow[]> {
    const { epoch, seq } = this.#last;
    const floor = Math.max(epoch === this.#from.epoch ? this.#from.seq : 0, seq - LOOK_BACK);
    const rows = await this.#sql.query<MessageRow>(
      `select ${messageColumns(String(SHOWN_CHARACTERS))} from message_log m
       where m.station_id = $1 and (m.epoch, m.seq) > ($2::bigint, $3::bigint) and m.received_at > now() - interval '${CLOCKS}'
       order by m.epoch, m.seq limit ${MAX_ROWS}`,
      [this.#stationId, epoch, floor],
    );
    return rows.filter((row) => !(Number(row.epoch) === epoch && this.#given.has(row.seq)));
  }

  /** What was given is not given again. */
  gave(row: MessageRow): void {
    const epoch = Number(row.epoch);
    if (epoch > this.#last.epoch) {
      this.#given = new Set();
      this.#last = { epoch, seq: row.seq };
    } else if (row.seq > this.#last.seq) this.#last = { epoch, seq: row.seq };
    this.#given.add(row.seq);
    for (const seq of this.#given) if (seq <= this.#last.seq - LOOK_BACK) this.#given.delete(seq);
  }
}
