import { Migration0001Initial } from "./0001-initial.ts";

/** In order; never renamed once released. Each must let the previous release's processes go on (expand, then contract). */
export const MIGRATIONS = [{ name: "0001-initial", class: Migration0001Initial }];
