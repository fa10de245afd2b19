/**
 * Where a fact comes from: the owner epoch of the connection, and the frame's number within it. A fact is only written
 * forwards: a station that moved to another gateway has its frames in two lanes, which are read independently.
 */
export interface FactOrder {
  epoch: number;
  seq: number;
}

/** Does `a` come after `b`? */
export const isLater = (a: FactOrder, b: FactOrder): boolean =>
  a.epoch > b.epoch || (a.epoch === b.epoch && a.seq > b.seq);

/** For sorting: earlier first. */
export const byFactOrder = (a: FactOrder, b: FactOrder): number => a.epoch - b.epoch || a.seq - b.seq;
