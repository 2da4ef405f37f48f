#!/bin/bash
# Run the suite as a plain user: root's tests are left out, rootless containers are tried for real.
# Root calls this. It makes the user `lamina-plain`, gives it a copy of the tracked files (a clone may
# lie where others cannot read) and a virtual environment of its own (root's Python may lie there too).
set -euo pipefail
cd "$(dirname "$0")/.."
user=lamina-plain
base=/var/tmp/lamina-plain
if ! id "$user" > /dev/null 2>&1; then
  command -v useradd > /dev/null || { echo "test: no useradd here, not run as a plain user" >&2; exit 0; }
  useradd --create-home --home-dir "$base/home" --shell /bin/bash "$user" 2> /dev/null
fi
# A temporary folder of the run's own: one below /tmp may belong to an earlier user of this name.
rm -rf "$base/t"
temporary=$base/t
[ -z "${PYTEST_DEBUG_TEMPROOT:-}" ] || temporary=$(dirname "$PYTEST_DEBUG_TEMPROOT")/p
mkdir -p "$base/tree" "$temporary"
chown "$user:$user" "$temporary"
chmod 755 "$base"

as_user() {  # a clean environment, of which only what says where packages come from is kept
  local kept=() name
  for name in PIP_CERT PIP_FIND_LINKS PIP_INDEX_URL PIP_EXTRA_INDEX_URL UV_INDEX_URL UV_DEFAULT_INDEX \
    SSL_CERT_FILE HTTPS_PROXY HTTP_PROXY NO_PROXY https_proxy http_proxy no_proxy CI; do
    [ -z "${!name:-}" ] || kept+=("$name=${!name}")
  done
  setpriv --reuid "$user" --regid "$user" --init-groups \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME="$base/home" \
    USER="$user" LOGNAME="$user" LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 \
    PYTEST_DEBUG_TEMPROOT="$temporary" "${kept[@]}" "$@"
}

# The copy: exactly what is tracked or about to be, nothing that was generated.
find "$base/tree" -mindepth 1 -maxdepth 1 ! -name .venv ! -name .cache -exec rm -rf {} +
git ls-files -z --cached --others --exclude-standard | tar -c --null -T - --ignore-failed-read 2> /dev/null \
  | tar -x -C "$base/tree"
chown -R "$user:$user" "$base/tree"
if [ -d .cache/images ]; then  # real images cost a minute to make: lend them
  mkdir -p "$base/tree/.cache"
  cp -a --reflink=auto -u .cache/images "$base/tree/.cache/"
  chown -R "$user:$user" "$base/tree/.cache"
fi
as_user bash "$base/tree/tools/setup.sh" dev
echo "test: as the plain user $user" >&2
cd "$base/tree"
# What reads the sources, computes, or asks servers that run as others anyway says the same to everyone.
once=(architecture/test_shape.py spec fuzz hub)
case " $*" in *" tests/"*) once=() ;; esac  # whoever names tests means them
workers=$(($(nproc) + 1))
as_user .venv/bin/python -m pytest -q -n "${WORKERS:-$workers}" --dist loadfile -p no:cacheprovider \
  "${once[@]/#/--ignore=tests/}" "$@" < /dev/null
