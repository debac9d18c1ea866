#!/usr/bin/env bash
# npm test: set-up, then everything that tools/test.ts lists. Arguments are filters: only stages and test files that match.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash tools/setup.sh --test
exec node --import tsx tools/test.ts "$@"
