/** JSON with access to the text of numbers (ECMAScript "JSON.parse source text access"; in Node, not yet in TypeScript's library). */
interface JsonWithSource {
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
  /** Stringified as the given text. */
  rawJSON(text: string): object;
  isRawJSON(value: unknown): boolean;
}

export const jsonWithSource = JSON as unknown as JsonWithSource;
