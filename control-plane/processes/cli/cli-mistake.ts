/** What the caller can put right: shown without a stack, exit code 2. Says what to do. */
export class CliMistake extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CliMistake";
  }
}

/** A server that is not there now: the same command may do later. Exit code 3. */
export class ServerAway extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ServerAway";
  }
}
