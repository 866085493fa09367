/**
 * The scrape_configs of monitoring/scrape/: a job for each exporter.
 *
 * @module
 */
import type { Manifest } from "../../lib/manifest.ts";
import { withRegion } from "./region.ts";

/** What all jobs of secured.yml share, and how the first one writes it. */
const SECURITY = {
  first:
    `    tls_config: &tls # Whoever signed the exporters' certificates; the certificate must name the host as the workers' list does.
      ca_file: secrets/ca.pem
    basic_auth: &auth
      username: monitoring
      # The password itself; the exporters hold its bcrypt hash.
      password_file: secrets/password
`,
  other: `    tls_config: *tls
    basic_auth: *auth
`,
};

/** Returns a scrape configuration with a job for each exporter, with TLS and a password where it is `secured`. */
export function withScrapeJobs(text: string, exporters: readonly Manifest[], secured = false): string {
  const jobs = exporters.map((manifest, index) =>
    scrapeJob(manifest, secured ? `    scheme: https\n${index === 0 ? SECURITY.first : SECURITY.other}` : "")
  );
  return withRegion(text, "a job for each exporter", `scrape_configs:\n${jobs.join("\n")}`, "hash");
}

function scrapeJob({ name, port, scrape }: Manifest, security: string): string {
  const { intervalSeconds, timeoutSeconds, reason } = scrape;
  return `${reason ? `  # ${reason}\n` : ""}  - job_name: ${name}
    scrape_interval: ${intervalSeconds}s
    scrape_timeout: ${timeoutSeconds}s
${security}    file_sd_configs:
      - files: [workers/*.yml]
    relabel_configs:
      - # Workers that do not run this exporter.
        source_labels: [__exporters]
        regex: "|(.*,)?${name}(,.*)?"
        action: keep
      - # The worker is named by its file, else by its host.
        source_labels: [worker, __address__]
        regex: ";([^:]+|\\\\[.+\\\\])(:[0-9]+)?"
        target_label: worker
        replacement: "$1"
      - # An address without a port gets this exporter's.
        source_labels: [__address__]
        regex: "([^:]+|\\\\[.+\\\\])"
        target_label: __address__
        replacement: "$1:${port}"
`;
}
