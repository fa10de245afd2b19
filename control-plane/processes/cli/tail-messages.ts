import { sqlOn } from "../../database.ts";
import { isOutage } from "../../http/outage.ts";
import { SCOPES } from "../../http/route.ts";
import { pause } from "../../jobs/pause.ts";
import { MessageTail, newestPlace } from "../../message-log/message-tail.ts";
import { messageView } from "../../message-log/message-view.ts";
import { TOKEN_SCOPE } from "../../message-log/token-scope.ts";
import { findChargePoint } from "./charge-points.ts";
import { type CommandIo, defineCommand } from "./cli-command.ts";
import { visible } from "./table.ts";
import { onPostgres } from "./with-servers.ts";

const LOOK_MS = 500;
/** A line is for reading; the JSON has the frame. */
const SHOWN = 400;

/**
 * Prints a charge point's frames while they come, until Ctrl-C; then it ends with 0. An outage of Postgres is waited for. Secrets
 * are masked, and tokens too unless they are asked for.
 */
async function tail({ id, tokens }: { id: string; tokens: boolean | undefined }, io: CommandIo): Promise<void> {
  const scopes = SCOPES.filter((scope) => tokens === true || scope !== TOKEN_SCOPE);
  await onPostgres(io, async (pool) => {
    const sql = sqlOn(pool);
    const station = await findChargePoint(sql, id);
    const messages = new MessageTail(sql, station.id, await newestPlace(sql, station.id));
    io.note(`${station.identity_spelling}: its frames as they come; Ctrl-C ends it`);
    let away = false;
    while (!io.signal.aborted) {
      try {
        for (const row of await messages.next()) {
          messages.gave(row);
          const view = messageView(row, station.ocpp_version, scopes);
          const arrow = view.direction === "from_charge_point" ? "→" : "←";
          const text = [
            view.received_at,
            arrow,
            view.action ?? view.type,
            view.validation === "ok" ? "" : view.validation,
          ]
            .filter(Boolean)
            .join(" ");
          const raw = view.raw.length > SHOWN ? `${view.raw.slice(0, SHOWN)}…` : view.raw;
          io.tell(`${text} ${visible(raw)}`, view);
        }
        if (away) io.note("Postgres is back");
        away = false;
      } catch (fault) {
        if (!isOutage(fault)) throw fault;
        if (!away) io.note("Postgres is away: waiting for it");
        away = true;
      }
      await pause(LOOK_MS, io.signal);
    }
  });
}

/** A charge point's frames, live. */
export const tailCommand = defineCommand({
  name: "charge-points tail",
  summary: "Prints a charge point's OCPP frames while they come, until Ctrl-C.",
  flags: {
    id: { value: "ID", required: true, help: "its charge_point_id or its identity" },
    tokens: { help: "shows tokens (idTag, idToken), which are masked else" },
  },
  examples: ["charge-points tail --id DEPOT-A-001"],
  reads: true,
  run: tail,
});
