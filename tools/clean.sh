#!/bin/bash
# Remove what make made: caches, the virtual environment, the plain user's copy and what is mounted below.
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD
plain=/var/tmp/lamina-plain
{ awk '{print $5}' /proc/self/mountinfo | grep -E "^($here/\.(cache|demo)|$plain)(/|$)" || true; } | sort -r \
  | while read -r target; do umount -l "$target" || true; done
rm -rf .venv .cache .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
find . -name __pycache__ -type d -prune -exec rm -rf {} +
if [ "$(id -u)" = 0 ]; then
  rm -rf "$plain"
  if id lamina-plain > /dev/null 2>&1; then
    userdel -r lamina-plain > /dev/null 2>&1 || true
  fi
fi
