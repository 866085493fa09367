/**
 * What the docker exporter's page shows.
 *
 * @module
 */
import type { PageDescription } from "../../lib/page.ts";

/** CPU of each container as a chart, one row for each container. */
export const DOCKER_PAGE: PageDescription = {
  title: "Docker containers",
  summary: "What docker stats shows, and what it hides, of every container of this engine.",
  chart: { metric: "docker_container_cpu_percent", unit: "%", labels: ["name"] },
  table: {
    key: ["name", "id"],
    columns: [
      { metric: "docker_container_cpu_percent", title: "CPU", unit: "%" },
      { metric: "docker_container_memory_usage_bytes", title: "Memory", unit: "B" },
      { metric: "docker_container_memory_percent", title: "of its limit", unit: "%" },
      { metric: "docker_container_block_read_bytes_total", title: "Read", unit: "B" },
      { metric: "docker_container_block_write_bytes_total", title: "Written", unit: "B" },
      { metric: "docker_container_pids", title: "Processes" },
      { metric: "docker_container_restarts_total", title: "Restarts" },
      { metric: "docker_container_exit_code", title: "Exit code" },
      { metric: "docker_container_oom_total", title: "OOM kills" },
    ],
  },
};
