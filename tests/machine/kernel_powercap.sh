#!/bin/sh
# The cpu exporter on a tree of the kernel's own powercap core: 0400 files, uevents, a driver that is unloaded and
# loaded again, AMD's dies. Runs as root, in this project's folder, in a throwaway machine:
#
#     kernel_powercap.sh POWERCAP_ZONES_KO COMMAND [ARG…]
#
# COMMAND is the exporter's, as an unprivileged user may run it; powercap_zones.c makes the zones.
set -eu
module=$1
shift
url=http://127.0.0.1:9510

fail() {
  echo "FAILED: $*" >&2
  curl -s "$url/health" >&2 || true
  exit 1
}
# The value of a series, by its beginning; empty without it.
value() { curl -s "$url/metrics" | grep -F "$1" | grep -v '^#' | head -n 1 | sed 's/.* //'; }
# Waits up to three minutes, as emulated machines are slow, until a command succeeds.
await() {
  what=$1
  shift
  for _ in $(seq 360); do
    "$@" && { echo "ok: $what"; return; }
    sleep 0.5
  done
  fail "$what"
}
is() { [ "$(value "$1")" = "$2" ]; }
# Whether a series is within 3 % of a number.
near() { value "$1" | awk -v want="$2" '{ found = 1; off = $1 - want } END { exit !(found && off * off < (0.03 * want) ^ 2) }'; }
says() { curl -s "$url/health" | grep -qF "$1"; }

# As the unit does: an unprivileged user, with or without the one capability, and the tree bound to /run/powercap.
bare='--bounding-set=-all'
capable='--inh-caps=+dac_read_search --ambient-caps=+dac_read_search --bounding-set=-all,+dac_read_search'
start() {
  caps=$1
  shift
  mkdir -p /run/powercap
  # shellcheck disable=SC2016,SC2086
  unshare -m sh -c 'mount --bind /sys/devices/virtual/powercap /run/powercap; exec setpriv "$@"' sh \
    --reuid=65534 --regid=65534 --clear-groups $caps "$@" &
  exporter=$!
  await "it serves" curl -s -o /dev/null "$url/-/healthy"
}
stop() {
  kill "$exporter"
  wait "$exporter" || true
}

insmod "$module"
[ "$(stat -c %a /sys/devices/virtual/powercap/intel-rapl/intel-rapl:0/energy_uj)" = 400 ] || fail "the counters are not 0400"

start "$bare" "$@"
await "without the capability it explains what is missing" says CAP_DAC_READ_SEARCH
is rapl_available 0 || fail "values without permission"
stop

start "$capable" "$@"
await "a package of 40 W" near 'rapl_power_watts{zone="package-0"' 40
await "one of 50 W" near 'rapl_power_watts{zone="package-1"' 50
await "packages and their memory" near rapl_node_power_watts 100
near 'rapl_power_peak_watts{zone="package-1"' 50 || fail "the peak is $(value 'rapl_power_peak_watts{zone="package-1"')"
is 'rapl_power_limit_watts{zone="package-0"' 125 || fail "the limit is not 125 W"

rmmod powercap_zones
await "the driver is unloaded" is rapl_available 0
says 'restart the exporter' || fail "it does not explain what to do"
insmod "$module"
stop
start "$capable" "$@"
await "the driver is loaded again and the exporter restarted" near rapl_node_power_watts 100
stop

rmmod powercap_zones
groupadd -f powercap
install -m 644 systemd/udev/60-worker-exporters-powercap.rules /etc/udev/rules.d/
udevadm control --reload
insmod "$module"
udevadm settle
[ "$(stat -c '%a %G' /sys/devices/virtual/powercap/intel-rapl/intel-rapl:0/energy_uj)" = "440 powercap" ] ||
  fail "the uevent did not reach the udev rule"
echo "ok: the uevent of a zone reaches the udev rule"
rmmod powercap_zones

insmod "$module" dies=2
start "$capable" "$@"
await "two packages of two AMD dies, each counted once" near rapl_node_power_watts 90
[ "$(curl -s "$url/metrics" | grep -c '^rapl_power_watts{zone="package')" = 2 ] || fail "a package is reported once per die"
await "the core of the last die" near 'rapl_power_watts{zone="core",package="1",path="intel-rapl/intel-rapl:3/' 4
stop
rmmod powercap_zones
echo "all is well"
