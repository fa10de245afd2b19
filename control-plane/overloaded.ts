/** Thrown when a bounded queue is full: the work was not begun, trying again later makes sense. */
export class Overloaded extends Error {
  constructor(what: string) {
    super(`${what}: the queue is full`);
    this.name = "Overloaded";
  }
}
