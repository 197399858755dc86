#!/usr/bin/env bash
# tools/e2e.sh BUILD-DIRECTORY [pytest arguments...]: the end-to-end tests against the programs built there.
set -euo pipefail
cd "$(dirname "$0")/.."

build=$(realpath "$1")
shift

# Many connections need many descriptors.
ulimit -Sn "$(ulimit -Hn)"

cd tests/e2e
# Files are handed out in the order of conftest.py, not of how many tests they have.
export POMERIUM_BUILD=$build PYTHONDONTWRITEBYTECODE=1
exec ../../.venv/bin/pytest -p no:cacheprovider -n 4 --dist loadfile --no-loadscope-reorder -q "$@"
