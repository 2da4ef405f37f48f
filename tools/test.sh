#!/bin/bash
# Run the suite here and, when this is root, once more as a plain user. Arguments go to pytest both times.
# Both run whatever the first gave; the last line is pytest's summary. NO_PLAIN=1 leaves out the second.
set -uo pipefail
cd "$(dirname "$0")/.."
.venv/bin/python -m pytest -q -n "${WORKERS:-2}" --dist loadfile "$@" < /dev/null
code=$?
if [ "$(id -u)" = 0 ] && [ -z "${NO_PLAIN:-}" ]; then
  tools/as_plain_user.sh "$@"
  plain=$?
  if [ "$code" = 0 ]; then
    code=$plain
  else
    echo "test: as root the suite failed, see above" >&2
  fi
fi
exit "$code"
