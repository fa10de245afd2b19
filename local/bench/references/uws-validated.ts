// The ordinary way, as fast as it gets: the text is decoded, parsed, checked against the schema and answered under its
// message id. Nothing is stored. `node uws-validated.ts 1.6|2.0.1`

import { publishedValidators } from "./published-validators.ts";
import { listenAsReference } from "./uws-listen.ts";

const validators = publishedValidators(process.argv[2] ?? "1.6");
const CURRENT_TIME = '{"currentTime":"2026-01-01T00:00:00.000Z"}';

listenAsReference({
  message(socket, bytes) {
    socket.send(answerTo(Buffer.from(bytes).toString()));
  },
});

function answerTo(text: string): string {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return error("-1", "FormationViolation");
  }
  if (!Array.isArray(frame) || frame[0] !== 2 || typeof frame[1] !== "string") return error("-1", "FormationViolation");
  const [, id, action, payload] = frame as [number, string, string, unknown];
  const validate = validators.get(action);
  if (validate === undefined) return error(id, "NotImplemented");
  if (!validate(payload)) return error(id, "FormationViolation");
  return `[3,"${id}",${action === "Heartbeat" ? CURRENT_TIME : "{}"}]`;
}

function error(id: string, code: string): string {
  return `[4,"${id}","${code}","",{}]`;
}
