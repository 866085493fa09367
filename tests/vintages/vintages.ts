/**
 * The real parts that users run, in several vintages, each from the Debian suite that has it: what is tried with which.
 * The tests of main.ts and the table in tests/README.md are made from these rows.
 *
 * @module
 */

/** Parts of a suite that are tried together. */
export interface Vintage {
  readonly suite: "bullseye" | "bookworm" | "trixie" | "sid";
  /** The packages under test. */
  readonly parts: readonly string[];
  /** What else has to be installed. */
  readonly packages?: readonly string[];
  /** In a few words. */
  readonly tried: string;
  /** Test files that try it. */
  readonly tests: readonly string[];
  /** Only tests whose name has this. */
  readonly filter?: string;
  /**
   * Where the tests run: in the suite, which is the whole machine to them, or beside it, where `DEBIAN_SUITES` names
   * the folder that it is in.
   *
   * @default {"in"}
   */
  readonly where?: "in" | "beside";
  /** Why CI leaves it out, by name. */
  readonly byHand?: string;
  /** Variables for the tests. */
  readonly env?: Readonly<Record<string, string>>;
}

type Suite = Vintage["suite"];

const TOOLS = ["busybox-static", "curl", "iproute2", "openssl"];

function ffmpeg(suite: Suite): Vintage {
  return {
    suite,
    parts: ["ffmpeg"],
    packages: TOOLS,
    tried: "an encode by file, URL, pipe, report, shim and process; exit codes, stalls, ends",
    tests: ["encode", "processes", "shim"].map((name) => `tests/ffmpeg/${name}_test.ts`),
  };
}

function engine(suite: Suite, engine: "docker" | "podman"): Vintage {
  return {
    suite,
    parts: [engine === "docker" ? "docker.io" : "podman"],
    packages: engine === "docker" ? ["iptables"] : ["crun", "netavark", "nftables", "iptables"],
    tried: "every value against the kernel and the engine's own command; events; kills for memory",
    tests: ["tests/docker/vintages_test.ts"],
    filter: `${engine} of ${suite}`,
    where: "beside",
  };
}

function scrapers(suite: Suite): Vintage {
  return {
    suite,
    parts: ["prometheus", "victoria-metrics"],
    packages: [...TOOLS, "ffmpeg"],
    tried: "every format they ask for; rules, alerts, histograms; TLS and passwords; joules per frame",
    tests: ["formats", "scrape", "rules", "energy"].map((name) => `tests/monitoring/${name}_test.ts`),
  };
}

function nvidia(suite: Suite, branch: number): Vintage {
  return {
    suite,
    parts: ["libnvidia-ml1"],
    tried: "it is opened, has the symbols of its version, and reports that no driver is loaded",
    tests: ["tests/gpu/real_library_test.ts"],
    filter: `driver ${branch}`,
    where: "beside",
  };
}

function chromium(suite: Suite): Vintage {
  return {
    suite,
    parts: ["chromium"],
    tried: "the page, as a person sees it",
    tests: ["tests/lib/page/page_test.ts"],
  };
}

/** The tests boot a machine of the suite (support/systemd-box); the folder is for the version alone. */
function systemd(suite: Suite): Vintage {
  return {
    suite,
    parts: ["systemd"],
    tried: "package installed, units verified, services started, rebooted, removed",
    tests: ["tests/deploy/package_test.ts"],
    where: "beside",
    env: { PACKAGE_SUITES: suite },
  };
}

/** All rows; those of a suite stand together. */
export const VINTAGES: readonly Vintage[] = [
  ffmpeg("bullseye"),
  nvidia("bullseye", 470),
  {
    ...systemd("bullseye"),
    byHand: "systemd 247 ignores two directives of the units, and scripts/install fails",
  },
  ffmpeg("bookworm"),
  { ...engine("bookworm", "podman"), byHand: "Podman 4.3 does not always start here" },
  scrapers("bookworm"),
  nvidia("bookworm", 535),
  ffmpeg("trixie"),
  engine("trixie", "docker"),
  engine("trixie", "podman"),
  scrapers("trixie"),
  nvidia("trixie", 550),
  chromium("trixie"),
  systemd("trixie"),
  ffmpeg("sid"),
  engine("sid", "docker"),
  engine("sid", "podman"),
  scrapers("sid"),
  systemd("sid"),
];

/** The row's name. */
export function nameOf({ parts, suite }: Vintage): string {
  return `${parts.join(" and ")} of ${suite}`;
}
