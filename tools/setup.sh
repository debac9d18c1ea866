#!/usr/bin/env bash
# Set-up for a checkout: programs of the host, then the npm packages. Needs nothing but bash; says exactly what is missing.
#   tools/setup.sh           what building and running needs
#   tools/setup.sh --test    also what only the tests need
#   tools/setup.sh --bench   also what only the measurements need
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly NODE_MAJOR=20

# Program, or a file that has to be there, and the Debian package that has it.
required=("gcc gcc" "ld binutils" "objcopy binutils" "nm binutils" "clang clang" "wasm-ld lld" "qemu-system-x86_64 qemu-system-x86")
case "${1-}" in
  --test) required+=("/usr/include/stdio.h libc6-dev" "curl curl" "tshark tshark" "ip iproute2" "grub-mkrescue grub-common" "/usr/lib/grub/i386-pc/multiboot.mod grub-pc-bin" "xorriso xorriso") ;;
  --bench) required+=("/usr/include/stdio.h libc6-dev" "ip iproute2" "wrk wrk" "ab apache2-utils" "cpio cpio") ;;
esac

# Packages of which something is not there, each once.
missing_packages() {
  local entry program package packages=" "
  for entry in "${required[@]}"; do
    read -r program package <<<"$entry"
    if ! command -v "$program" >/dev/null && [[ ! -e "$program" && "$packages" != *" $package "* ]]; then
      packages+="$package "
    fi
  done
  echo "$packages"
}

install_packages() {
  local packages=$1
  # shellcheck disable=SC2086 # one word for each package
  if ! command -v apt-get >/dev/null; then
    echo "aemos: these programs are missing; their Debian packages are:$packages" >&2
    exit 1
  elif [[ $EUID -ne 0 ]]; then
    echo "aemos: packages are missing; run" >&2
    echo "  sudo apt-get install --no-install-recommends$packages" >&2
    exit 1
  fi
  echo "aemos: installing$packages" >&2
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086
  if ! { apt-get -q update && apt-get -q install -y --no-install-recommends $packages; } >&2; then
    echo "aemos: could not install$packages" >&2
    exit 1
  fi
}

packages=$(missing_packages)
if [[ "$packages" != " " ]]; then
  install_packages "$packages"
  packages=$(missing_packages)
  if [[ "$packages" != " " ]]; then
    echo "aemos: still missing after the installation:$packages" >&2
    exit 1
  fi
fi

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  echo "aemos: Node.js $NODE_MAJOR or newer with npm is needed; none is installed (https://nodejs.org/)" >&2
  exit 1
fi
version=$(node --version)
major=${version#v}
major=${major%%.*}
if ((major < NODE_MAJOR)); then
  echo "aemos: Node.js $NODE_MAJOR or newer is needed; this is $version (https://nodejs.org/)" >&2
  exit 1
fi

# npm writes node_modules/.package-lock.json last.
if [[ ! -e node_modules/.package-lock.json || package-lock.json -nt node_modules/.package-lock.json ]]; then
  echo "aemos: npm ci" >&2
  # Not the npm that some package has brought: under `npm test`, node_modules/.bin comes first.
  IFS=: read -ra folders <<<"$PATH"
  path=
  for folder in "${folders[@]}"; do
    [[ $folder == */node_modules/.bin ]] || path+=${path:+:}$folder
  done
  PATH=$path npm ci --no-audit --no-fund >&2
  [[ ! -d node_modules ]] || touch node_modules/.package-lock.json
fi
