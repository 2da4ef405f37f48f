#!/bin/bash
# Make .venv and install what the named purpose needs: `tools/setup.sh demo` or `tools/setup.sh dev`.
# A stamp makes repeats instant. System packages come by apt-get where this is root and apt is there;
# without, one line says what is done without.
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:-dev}
case $purpose in
  demo) extras='hub,run' ;;
  dev) extras='dev' ;;
  *) echo "usage: tools/setup.sh demo|dev" >&2; exit 2 ;;
esac

# What each program or module is for, and which Debian package brings it.
demo_programs=(crun:crun bwrap:bubblewrap newuidmap:uidmap nft:nftables)
dev_programs=("${demo_programs[@]}"
  runc:runc skopeo:skopeo umoci:umoci podman:podman mmdebstrap:mmdebstrap chromium:chromium
  rpmbuild:rpm db5.3_load:db5.3-util setfattr:attr setfacl:acl pigz:pigz bsdtar:libarchive-tools mkfs.erofs:erofs-utils zstd:zstd
  radosgw:radosgw ceph-mon:ceph-mon ceph-osd:ceph-osd pg_createcluster:postgresql
  docker-registry:docker-registry ip:iproute2 pasta:passt slirp4netns:slirp4netns nft:nftables mkfs.ext4:e2fsprogs busybox:busybox-static strace:strace tmux:tmux)

missing_packages() {
  local pair
  for pair in "$@"; do
    command -v "${pair%%:*}" > /dev/null || [ -x "/usr/sbin/${pair%%:*}" ] || echo "${pair#*:}"
  done
}

system_packages() {
  local missing
  missing=$(missing_packages "$@" | sort -u | tr '\n' ' ')
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
    echo "setup: not root with apt, so doing without: $missing" >&2
    return 0
  fi
  echo "setup: installing $missing" >&2
  export DEBIAN_FRONTEND=noninteractive
  local log=.cache/apt.log
  mkdir -p .cache
  apt-get update -qq > "$log" 2>&1 < /dev/null || true
  # All at once; where one is unknown to this system, one by one, so that the others still come.
  # shellcheck disable=SC2086
  apt-get install -y -qq --no-install-recommends $missing >> "$log" 2>&1 < /dev/null || {
    local package
    for package in $missing; do
      apt-get install -y -qq --no-install-recommends "$package" >> "$log" 2>&1 < /dev/null \
        || echo "setup: doing without $package (see $log)" >&2
    done
  }
}

# Plain users' networks need this device open to them, as it is on most systems.
open_tunnels() {
  [ "$(id -u)" = 0 ] || return 0
  modprobe tun 2> /dev/null || true
  [ ! -c /dev/net/tun ] || chmod 666 /dev/net/tun 2> /dev/null || true
}

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
      echo "$candidate"
      return 0
    fi
  done
  echo "setup: needs Python 3.11 or newer; name one with PYTHON=/path/to/python3" >&2
  return 1
}

make_venv() {
  [ -x .venv/bin/python ] && .venv/bin/python -c '' 2> /dev/null && return 0
  local python
  python=$(find_python)
  if ! "$python" -c 'import ensurepip, venv' 2> /dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
      apt-get update -qq > /dev/null 2>&1 < /dev/null || true
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv > /dev/null < /dev/null
    else
      echo "setup: $python has no venv module; install it (Debian: python3-venv)" >&2
      return 1
    fi
  fi
  "$python" -m venv .venv
}

install_python_packages() {
  local stamp=.venv/.stamp-$purpose wanted
  wanted="$extras $(cksum < pyproject.toml)"
  [ "$(cat "$stamp" 2> /dev/null)" != "$wanted" ] || return 0
  # What the tests need holds all that the demo needs.
  [ "$(cat .venv/.stamp-dev 2> /dev/null)" != "dev ${wanted#* }" ] || return 0
  echo "setup: installing lamina[$extras] into .venv" >&2
  # uv is several times faster; where it cannot be had or fails, pip does the same.
  .venv/bin/python -m pip install -q uv > /dev/null 2>&1 < /dev/null || true
  if ! { [ -x .venv/bin/uv ] && .venv/bin/uv pip install -q -p .venv -e ".[$extras]" < /dev/null 2> /dev/null; }; then
    .venv/bin/python -m pip install -q -e ".[$extras]" < /dev/null
  fi
  echo "$wanted" > "$stamp"
}

if [ "$purpose" = demo ]; then
  system_packages "${demo_programs[@]}"
else
  system_packages "${dev_programs[@]}"
  open_tunnels
fi
make_venv
install_python_packages
# Some machines forbid Python to keep what it compiles; every command would compile itself anew.
.venv/bin/python -m compileall -q src .venv/lib/python3*/site-packages/{isal,backports,textual,rich,typing_extensions.py} || true
mkdir -p .cache
