#!/usr/bin/env bash
# Builds aemos and runs it in QEMU, after whatever set-up is missing. ./qemu-run.sh --help tells the options; without any it
# runs the default image.
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
bash "$here/tools/setup.sh"
exec node "$here/tools/aemos.mjs" run "$@"
