// k6 has it; its types leave it to those of browsers.
export {};
declare global {
  var console: { log(message: string): void };
}
