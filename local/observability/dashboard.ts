/** A query of a panel. */
export interface Query {
  /** PromQL; `$__rate_interval` is Grafana's. */
  expr: string;
  /** How a series is named; Grafana's `{{label}}`. */
  legend: string;
  /** A healthy deployment in which nothing of the kind has happened yet has no such series. */
  onlyWhenItHappened?: true;
}

export interface Panel {
  title: string;
  /** Grafana's name of it: short, s, bytes, reqps, percentunit. */
  unit: "short" | "s" | "bytes" | "reqps" | "percentunit";
  /** What a person should know who has not seen it before. */
  description?: string;
  /** A number of now instead of a curve. */
  stat?: true;
  queries: Query[];
}

export interface Dashboard {
  /** File name and, with a prefix, Grafana's uid. */
  name: string;
  title: string;
  panels: Panel[];
}

const COLUMNS = 24;
const DATA_SOURCE = { type: "prometheus", uid: "${datasource}" };

/** The JSON that Grafana is provisioned with: stats four in a row, then curves two in a row. */
export function grafanaJson({ name, title, panels }: Dashboard): string {
  let [x, y, rowHeight] = [0, 0, 0];
  const placed = panels.map((panel, index) => {
    const [width, height] = panel.stat ? [6, 4] : [12, 8];
    if (x + width > COLUMNS || (rowHeight !== 0 && height !== rowHeight)) [x, y, rowHeight] = [0, y + rowHeight, 0];
    const made = panelJson(panel, index + 1, { x, y, w: width, h: height });
    x += width;
    rowHeight = height;
    return made;
  });
  const dashboard = {
    uid: `dynamo-csms-${name}`,
    title: `Dynamo CSMS: ${title}`,
    tags: ["dynamo-csms"],
    schemaVersion: 39,
    editable: true,
    graphTooltip: 1,
    refresh: "30s",
    time: { from: "now-6h", to: "now" },
    timezone: "browser",
    templating: {
      list: [{ name: "datasource", label: "Data source", type: "datasource", query: "prometheus", hide: 0 }],
    },
    panels: placed,
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}

function panelJson(panel: Panel, id: number, gridPos: Record<"x" | "y" | "w" | "h", number>) {
  return {
    id,
    title: panel.title,
    ...(panel.description === undefined ? {} : { description: panel.description }),
    type: panel.stat ? "stat" : "timeseries",
    datasource: DATA_SOURCE,
    gridPos,
    fieldConfig: { defaults: { unit: panel.unit, min: 0 }, overrides: [] },
    options: panel.stat
      ? { reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false } }
      : { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi", sort: "desc" } },
    targets: panel.queries.map(({ expr, legend }, index) => ({
      refId: String.fromCodePoint(65 + index),
      datasource: DATA_SOURCE,
      expr,
      legendFormat: legend,
    })),
  };
}
