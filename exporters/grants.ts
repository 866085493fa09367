/**
 * Deno's permission flags for a command line: those of the exporter's task, moved to the port, the address
 * and the paths that the exporter's own flags name, a web configuration's files among them.
 *
 * @module
 */
import { denoFlags, type ExporterName } from "./catalog.ts";

/** Grants by permission: `{ read: ["/run/powercap"], net: ["0.0.0.0:9510"] }`. */
export type Grants = Partial<Record<"read" | "write" | "ffi" | "net", readonly string[]>>;

/** What the task of an exporter grants. */
export function taskGrants(name: ExporterName): Grants {
  const grants: Record<string, string[]> = {};
  for (const flag of denoFlags(name)) {
    const [, permission, values] = /^--allow-(\w+)=(.+)$/.exec(flag) ?? [];
    if (permission && values) grants[permission] = values.split(",");
  }
  return grants;
}

/** What an exporter needs when it is started with `args`. */
export function grantsFor(name: ExporterName, args: readonly string[]): Grants {
  const grants = taskGrants(name);
  const [listen = "", ...otherNet] = grants.net ?? [];
  return movePaths({ ...grants, net: [movedListen(listen, args), ...otherNet] }, args);
}

/** The same as {@linkcode grantsFor}, as flags for `deno run` and `deno compile`. */
export function grantFlags(name: ExporterName, grants: Grants): string[] {
  const left = new Map(Object.entries(grants));
  const taken = denoFlags(name).flatMap((flag) => {
    const permission = /^--allow-(\w+)=/.exec(flag)?.[1];
    if (permission === undefined) return [flag];
    const values = left.get(permission) ?? [];
    left.delete(permission);
    return allow(permission, values);
  });
  return [...taken, ...[...left].flatMap(([permission, values]) => allow(permission, values))];
}

function allow(permission: string, values: readonly string[]): string[] {
  return values.length > 0 ? [`--allow-${permission}=${values.join(",")}`] : [];
}

function movedListen(listen: string, args: readonly string[]): string {
  const [, host = "", port = ""] = /^(.*):(\d+)$/.exec(listen) ?? [];
  const whole = flagValue(args, "web.listen-address");
  if (whole !== undefined) return whole.startsWith(":") ? `${host}${whole}` : whole;
  const newHost = flagValue(args, "host") ?? host;
  return `${newHost.includes(":") ? `[${newHost}]` : newHost}:${flagValue(args, "port") ?? port}`;
}

function movePaths(grants: Grants, args: readonly string[]): Grants {
  const moved = { ...grants };
  const folder = flagValue(args, "powercap") ?? flagValue(args, "progress-dir");
  if (folder !== undefined) moved.read = [folder];
  const library = flagValue(args, "nvml");
  if (library !== undefined) moved.ffi = [library];
  const engine = flagValue(args, "docker-host");
  if (engine !== undefined) {
    const [, socket] = /^unix:\/\/(.+)$/.exec(engine) ?? [];
    moved.read = moved.write = socket ? [socket] : [];
    moved.net = [
      ...(grants.net ?? []).filter((entry) => !entry.startsWith("unix:")),
      socket ? `unix:${socket}` : engine.replace(/^\w+:\/\//, "").replace(/\/.*$/, ""),
    ];
  }
  const certificates = flagValue(args, "docker-cert-path");
  if (certificates !== undefined) moved.read = [...(moved.read ?? []), certificates];
  const config = flagValue(args, "web.config.file");
  if (config !== undefined) moved.read = [...(moved.read ?? []), ...webConfigFiles(config)];
  return moved;
}

const FILE_KEY_REGEXP =
  /\b(?:cert|key|client_ca)_file[ \t]*:[ \t]*(?:"([^"\n]*)"|'([^'\n]*)'|([^\s,{}#"']+))/g;

/**
 * A web configuration and the files that it names. Without a YAML parser, which only the exporter loads: where
 * this finds less than the exporter will, the exporter names the flag that is missing.
 */
function webConfigFiles(path: string): string[] {
  let text = "";
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    // The exporter will tell what is wrong with it.
    if (!(error instanceof Error)) throw error;
  }
  const named = Array.from(
    text.matchAll(FILE_KEY_REGEXP),
    ([, double, single, plain]) => double ?? single ?? plain,
  );
  const folder = path.replace(/[^/]*$/, "");
  return [
    path,
    ...named.filter(Boolean).map((file = "") => file.startsWith("/") ? file : `${folder}${file}`),
  ];
}

/** The value of `--name VALUE` or `--name=VALUE`. */
function flagValue(args: readonly string[], name: string): string | undefined {
  const flag = `--${name}`;
  for (const [index, arg] of args.entries()) {
    if (arg === flag) return args[index + 1];
    if (arg.startsWith(`${flag}=`)) return arg.slice(flag.length + 1);
  }
  return undefined;
}
