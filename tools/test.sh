#!/bin/bash
# Run the suite here and, when this is root, once more as a plain user. Arguments go to pytest both times.
# Both run whatever the first gave; the last line is pytest's summary. NO_PLAIN=1 leaves out the second.
# What says the same to everyone runs as root alone (see as_plain_user.sh); what is about plain users, in
# the second run alone.
set -uo pipefail
cd "$(dirname "$0")/.."
plain_follows() { [ "$(id -u)" = 0 ] && [ -z "${NO_PLAIN:-}" ] && command -v useradd > /dev/null; }
# A disk without a journal, or one that discards at once, takes most of the suite's time to remove files. With
# room in memory the tests get a file system like most people's there: ext4 with a journal, on a loop device.
room() {
  [ "$(id -u)" = 0 ] && [ -z "${PYTEST_DEBUG_TEMPROOT:-}" ] || return 0
  local free image
  free=$(df --output=avail -k /dev/shm 2> /dev/null | tail -n 1)
  [ "${free:-0}" -gt 8000000 ] && [ "$(awk '/^MemAvailable/ {print $2}' /proc/meminfo)" -gt 8000000 ] || return 0
  place=/tmp/lt.$$ image=/dev/shm/lamina-tests.$$  # small letters alone: they become names of images
  mkdir "$place" || return 0
  if truncate -s 12G "$image" && mkfs.ext4 -q -F "$image" && mount -o loop,noatime "$image" "$place" 2> /dev/null; then
    chmod 755 "$place"
    mkdir "$place/t" && export PYTEST_DEBUG_TEMPROOT=$place/t
    trap 'umount -R "$place" 2> /dev/null || umount -R -l "$place"; rmdir "$place"' EXIT
  else
    rmdir "$place"
  fi
  rm -f "$image"  # it lives as long as its mount
}
room
workers=$(($(nproc) + 1))  # tests wait for processes and servers half of their time
later=()
if plain_follows && [[ " $* " != *" tests/"* ]]; then  # whoever names tests means them
  later=(--ignore=tests/contracts/test_rootless.py)
fi
.venv/bin/python -m pytest -q -n "${WORKERS:-$workers}" --dist loadfile "${later[@]}" "$@" < /dev/null
code=$?
if plain_follows; then
  tools/as_plain_user.sh "$@"
  plain=$?
  if [ "$code" = 0 ]; then
    code=$plain
  else
    echo "test: as root the suite failed, see above" >&2
  fi
fi
exit "$code"
