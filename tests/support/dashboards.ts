/**
 * The Grafana dashboards as their files have them: the parts that the tests look at.
 *
 * @module
 */
import { ROOT } from "./exporter_process.ts";

/** A query of a panel. */
export interface Target {
  readonly refId: string;
  readonly expr: string;
  readonly legendFormat: string;
  readonly datasource: { readonly uid: string };
}

/** A panel, or the heading of a row. */
export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly targets?: readonly Target[];
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string }; readonly overrides: unknown[] };
}

/** A dashboard. */
export interface Dashboard {
  /** Its file's name without `.json`. */
  readonly file: string;
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string; readonly definition?: string }[];
  };
  readonly annotations: { readonly list: readonly { readonly expr?: string }[] };
}

const FOLDER = `${ROOT}monitoring/grafana/dashboards`;

/** All dashboards, by file name. */
export function readDashboards(): Dashboard[] {
  return [...Deno.readDirSync(FOLDER)].map(({ name }) => name).sort().map((name) => ({
    ...JSON.parse(Deno.readTextFileSync(`${FOLDER}/${name}`)),
    file: name.replace(/\.json$/, ""),
  }));
}

/** Every PromQL expression of a dashboard: of panels, of variables, of annotations. */
export function expressionsOf(dashboard: Dashboard): string[] {
  return [
    ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    ...dashboard.templating.list.flatMap(({ definition }) => definition ? [selectorOf(definition)] : []),
    ...dashboard.annotations.list.flatMap(({ expr }) => expr ? [expr] : []),
  ];
}

/** Turns `label_values(METRIC{…}, LABEL)` into an expression that names the same. */
function selectorOf(definition: string): string {
  const match = /^label_values\((.*), (\w+)\)$/.exec(definition);
  if (!match) {
    throw new SyntaxError(`Cannot read variable "${definition}": it must be label_values(…, LABEL)`);
  }
  return `count by (${match[2]}) (${match[1]})`;
}
