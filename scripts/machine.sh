# shellcheck shell=bash
# What the installer and the Debian package know of the exporters and of this machine; sourced by both.

names=(cpu gpu ffmpeg docker)
declare -A artifact=([cpu]=cpu-exporter [gpu]=gpu-exporter [ffmpeg]=ffmpeg-exporter [docker]=docker-stats-exporter)
declare -A port=([cpu]=9510 [gpu]=9511 [ffmpeg]=9506 [docker]=9501)
settings=/etc/default/worker-exporters
drop_ins=/etc/systemd/system
# Drop-ins that tighten a unit where a machine can do with them.
tightening=(back-off rapl-group private-users)

# Whether this machine has what an exporter reads; $found is what it has, or what it would have to have.
has() {
  local path
  case $1 in
    cpu) set -- /sys/devices/virtual/powercap/*/ ;;
    gpu) set -- /dev/nvidiactl /usr/lib/{x86_64,aarch64}-linux-gnu/libnvidia-ml.so.1 /usr/lib{64,,/nvidia}/libnvidia-ml.so.1 \
      /usr/local/nvidia/lib64/libnvidia-ml.so.1 /usr/lib/wsl/lib/libnvidia-ml.so.1 /run/opengl-driver/lib/libnvidia-ml.so.1 ;;
    ffmpeg) set -- /proc ;; # ffmpeg may be anywhere, and come later
    docker) set -- /var/run/docker.sock ;;
  esac
  for path; do
    if [ -e "$path" ]; then found=$path; return; fi
  done
  found=$1
  return 1
}

# Names running services of other installations that may hold the exporters' ports, one a line.
foreign_units() {
  systemctl list-units --plain --no-legend --type=service --state=active,activating,failed \
    'ffmpeg-cpu-exporter*' 'ffmpeg-gpu-exporter*' 'ffmpeg-stats-exporter*' 'ffmpeg-docker-stats-exporter*' 2>/dev/null |
    sed 's/ .*//'
}

# Names them, with what to do. They are left running: whether to stop them is the operator's decision.
report_foreign_units() {
  local units
  units=$(foreign_units | tr '\n' ' ')
  [ -n "$units" ] || return 0
  echo "Services of another installation are here and may hold the same ports: ${units% }"
  echo "They were left as they are. To replace them: systemctl disable --now ${units% }"
}

# Whether services may have a user namespace of their own: not within a chroot and in some containers.
has_user_namespaces() { unshare --user true 2>/dev/null; }

# Whether udev gives the energy counters to the group powercap, by the rule that was put in place.
has_powercap_group() {
  local counter
  udevadm control --ping --timeout=5 2>/dev/null || return 1
  udevadm control --reload && udevadm trigger --subsystem-match=powercap --settle || return 1
  for counter in /sys/devices/virtual/powercap/*/*/energy_uj; do
    [ "$(stat -c '%G' "$counter" 2>/dev/null)" = powercap ] || return 1
  done
}

# Names those that this machine can do with for an exporter, one a line. Needs the groups and the udev rule.
tightening() {
  local version
  version=$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
  [ "$version" -lt 254 ] || echo back-off
  case $1 in
    cpu) ! has_powercap_group || { echo rapl-group; ! has_user_namespaces || echo private-users; } ;;
    *) ! has_user_namespaces || echo private-users ;;
  esac
}
