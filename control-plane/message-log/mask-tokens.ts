// Tokens say who charged where. Whoever reads a message log to see why a unit fails does not need them, so they are shown
// masked to keys without the scope for tokens. They are found by the names of their fields, wherever these stand: in a
// frame that breaks its schema, or is cut off, a token is a token all the same.

/**
 * Fields of all versions that hold a token, or what else tells a person: as text, or as an array of texts. In lower case: a
 * firmware that writes `idtag` breaks its schema, and is in the log all the same.
 */
const TOKEN_FIELDS: ReadonlySet<string> = new Set([
  // 1.6 §7.28 IdToken, §7.27 IdTagInfo
  "idtag",
  "parentidtag",
  // 2.x IdTokenType, AdditionalInfoType; 2.1 TariffAssignmentType
  "idtoken",
  "additionalidtoken",
  "idtokens",
  // 2.x CustomerInformation; 2.1 Get15118EVCertificate
  "customeridentifier",
  "prioritizedemaids",
]);

/** Strings (also one that the text breaks off in), numbers, and what tells the structure. */
const TOKENS_OF_JSON = /"(?:[^"\\]|\\[^])*(?:"|\\?$)|-?\d[\d.eE+-]*|[{}[\],:]/g;

/** The frame's text with every token in it masked. Not a character else is changed. */
export function maskTokens(text: string): string {
  /** Of each open bracket: the name of the field that it is the value of. */
  const within: string[] = [];
  let field = "";
  /** A string that turns out to be a name when a colon follows. */
  let last = "";
  return text.replaceAll(TOKENS_OF_JSON, (part) => {
    switch (part[0]) {
      case ":":
        field = nameIn(last);
        return part;
      case "{":
      case "[":
        within.push(part === "[" ? field : "");
        field = part === "[" ? field : "";
        return part;
      case "}":
      case "]":
        within.pop();
        field = within.at(-1) ?? "";
        return part;
      case ",":
        field = within.at(-1) ?? "";
        return part;
      default:
        last = part;
        return TOKEN_FIELDS.has(field.toLowerCase()) ? masked(part) : part;
    }
  });
}

/** A name may be written with escapes; one that cannot be read is none of ours. */
function nameIn(literal: string): string {
  if (!literal.includes("\\")) return literal.slice(1, -1);
  try {
    return String(JSON.parse(literal));
  } catch {
    return "";
  }
}

function masked(literal: string): string {
  const whole = literal.startsWith('"') && literal.length > 1 && literal.endsWith('"');
  return JSON.stringify(whole ? maskToken(nameIn(literal)) : "***");
}

/** Enough to tell two tokens of one site apart, too little to make one of it. */
export function maskToken(token: string): string {
  const characters = Array.from(token);
  return characters.length < 8 ? "***" : `${characters.slice(0, 2).join("")}…${characters.slice(-2).join("")}`;
}

/** `maskTokens` of what was read already. */
export const maskTokensIn = (value: unknown): unknown =>
  value === undefined ? undefined : JSON.parse(maskTokens(JSON.stringify(value)));
