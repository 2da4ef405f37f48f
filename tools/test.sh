#!/bin/bash
# Run the suite: what may run as a plain user runs as one too when this is root, then everything here.
# Arguments go to both runs of pytest. The last line is pytest's summary.
set -euo pipefail
cd "$(dirname "$0")/.."
workers=${WORKERS:-2}
if [ "$(id -u)" = 0 ] && [ -z "${NO_PLAIN:-}" ]; then
  tools/as_plain_user.sh "$@"
fi
exec .venv/bin/python -m pytest -q -n "$workers" --dist loadfile "$@" < /dev/null
