import { Migration } from "@mikro-orm/migrations";
import { API, INSTALLERS, ORGANIZATIONS } from "./initial/accounts.ts";
import { TRANSACTIONS } from "./initial/charging.ts";
import { EVENTS } from "./initial/events.ts";
import { LANES, LOG } from "./initial/frames.ts";
import { COMMANDS, COMMISSIONING } from "./initial/operations.ts";
import { HANDOVER, PROJECTS } from "./initial/projects.ts";
import { FACTS, STATIONS } from "./initial/stations.ts";

/** The first schema. Ids with a prefix (`cp_…`) are what the API shows; `stations.id` is for the large tables. */
export class Migration0001Initial extends Migration {
  override up(): void {
    for (const statement of [
      ORGANIZATIONS,
      INSTALLERS,
      PROJECTS,
      STATIONS,
      FACTS,
      TRANSACTIONS,
      LOG,
      LANES,
      COMMANDS,
      COMMISSIONING,
      HANDOVER,
      EVENTS,
      API,
    ])
      this.addSql(statement);
  }
}
