import { z } from "zod";
import type pg from "pg";
import { type Sql, sqlOn } from "../database.ts";
import { pageAnswer, pageQuery } from "../http/fields.ts";
import { decodeCursor, pageOf } from "../http/paging.ts";
import { ProblemError } from "../http/problems.ts";
import { defineRoute, type Route, type Scope } from "../http/route.ts";

/** Cursors of lists that are ordered by a bigint of ours. */
export const A_NUMBER = /^\d{1,18}$/;
/** Of lists that are ordered by a text. */
// oxlint-disable-next-line no-control-regex -- the one character that Postgres takes in no text
export const A_TEXT = /^[^\u0000]*$/su;

/** A row of a list; `cursor` is what the list is ordered by, unique within the station. */
export interface ListedRow {
  cursor: string;
}

export interface StationList<Filters extends z.ZodRawShape, Item extends z.ZodType, Row extends ListedRow> {
  /** Last part of the path, such as `display-messages`; the list's member of the answer is the same with underscores. */
  path: string;
  operationId: string;
  summary: string;
  description?: string;
  scope?: Scope;
  /** Query parameters beside the page's. */
  filters: Filters;
  item: Item;
  example: z.input<NoInfer<Item>>;
  /** The form that cursors of this list have: they are a client's word. */
  cursor: RegExp;
  /** One row more than `limit` where there are more, in the list's order, behind `after`. */
  rows(
    sql: Sql,
    request: { stationId: string; after: string | null; limit: number; filters: z.output<z.ZodObject<Filters>> },
  ): Promise<Row[]>;
  view(row: Row): z.input<NoInfer<Item>>;
}

/** `GET /api/v1/charge-points/{charge_point_id}/…`: a list of one station, with cursor pages. Retired stations keep theirs. */
export function stationListRoute<Filters extends z.ZodRawShape, Item extends z.ZodType, Row extends ListedRow>(
  { pool }: { pool: pg.Pool },
  list: StationList<Filters, Item, Row>,
): Route {
  const member = list.path.replaceAll("-", "_");
  const accept = ([key = ""]: string[]) => list.cursor.test(key);
  return defineRoute({
    method: "get",
    path: `/api/v1/charge-points/{charge_point_id}/${list.path}`,
    operationId: list.operationId,
    summary: list.summary,
    ...(list.description === undefined ? {} : { description: list.description }),
    tag: "Charge points",
    access: { kind: "organization", scope: list.scope ?? "read:charge_points" },
    rateLimit: "read",
    params: z.strictObject({ charge_point_id: z.string() }),
    query: z.strictObject({ ...pageQuery, ...list.filters }),
    responses: {
      200: {
        description: "A page of the list",
        schema: z.object({ [member]: z.array(list.item), ...pageAnswer }),
        example: { [member]: [list.example], next_cursor: null, has_more: false },
      },
    },
    problems: ["charge_point_not_found"],
    async handle({ caller, params, query }) {
      const sql = sqlOn(pool);
      const stationId = await stationOf(sql, caller.orgId, params.charge_point_id);
      const { limit, cursor, ...filters } = query as z.output<z.ZodObject<typeof pageQuery>> &
        z.output<z.ZodObject<Filters>>;
      const [after = null] = cursor === undefined ? [] : decodeCursor(cursor, 1, accept);
      const rows = await list.rows(sql, {
        stationId,
        after,
        limit: limit + 1,
        filters: filters as unknown as z.output<z.ZodObject<Filters>>,
      });
      const { page, ...paging } = pageOf(rows, limit, (row) => [row.cursor]);
      return { status: 200, body: { [member]: page.map((row) => list.view(row)), ...paging } };
    },
  });
}

/** `stations.id` of the organisation's charge point, also of a retired one. @throws ProblemError charge_point_not_found */
async function stationOf(sql: Sql, orgId: string, chargePointId: string): Promise<string> {
  const [row] = await sql.query<{ id: string }>(
    "select id::text as id from stations where charge_point_id = $1 and org_id = $2",
    [chargePointId, orgId],
  );
  if (row === undefined) throw new ProblemError("charge_point_not_found", `There is no charge point ${chargePointId}.`);
  return row.id;
}
