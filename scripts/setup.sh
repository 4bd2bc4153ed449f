#!/usr/bin/env bash
# Installs what Cohort builds and runs with, on Debian 12: packages from Debian,
# wheels from PyPI into .venv. May be run again: what is there is left alone.
#
#   scripts/setup.sh            to build and run
#   scripts/setup.sh --test     and what the tests read with (transformers,
#                               TensorBoard)
#   scripts/setup.sh --bench    and the peers of the benchmarks
#
# Says what it does on standard error and never reads standard input.
set -euo pipefail
exec </dev/null
cd "$(dirname "$0")/.."

PACKAGES=(
  ca-certificates ccache cmake g++ git libabsl-dev libantic-dev libbenchmark-dev
  libcalcium-dev libflint-arb-dev libflint-dev libgloo-dev libgmock-dev
  libgmp-dev libgrpc++-dev libgtest-dev libhwy-dev libicu-dev libpcre2-dev
  libprotobuf-dev libre2-dev libseccomp-dev libsqlite3-dev libssl-dev
  libxxhash-dev libyaml-cpp-dev ninja-build nlohmann-json3-dev pkg-config
  prometheus-cpp-dev protobuf-compiler protobuf-compiler-grpc python3
  python3-venv zlib1g-dev
)
BENCH_PACKAGES=(bubblewrap)
TEST_PACKAGES=(clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev sqlite3)

say() { echo "setup: $*" >&2; }

fail() {
  echo "setup: $*" >&2
  exit 1
}

missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null |
      grep -q '^ii' || echo "$package"
  done
}

# Runs a command as root: directly, or through sudo.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "needs root for: $* (install sudo, or run this script as root once)"
  fi
}

install_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ "${#missing[@]}" -gt 0 ] || return 0
  command -v apt-get >/dev/null ||
    fail "no apt-get here; install by hand: ${missing[*]}"
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
}

# Installs a requirements file into .venv unless the same text was installed
# before.
install_wheels() {
  local file=$1 stamp
  stamp=".venv/.installed-$(basename "$file" .txt)"
  if [ -f "$stamp" ] && cmp -s "$stamp" "$file"; then return 0; fi
  if [ ! -x .venv/bin/python3 ]; then
    say "making the virtual environment .venv"
    /usr/bin/python3 -m venv .venv >&2
  fi
  say "installing the wheels of $file into .venv"
  .venv/bin/python3 -m pip install -q --disable-pip-version-check \
    -r "$file" >&2
  cp "$file" "$stamp"
}

want_test=0 want_bench=0
for argument in "$@"; do
  case "$argument" in
    --test) want_test=1 ;;
    --bench) want_test=1 want_bench=1 ;;
    *) echo "setup: unknown argument $argument; use --test, --bench or none" >&2
      exit 2 ;;
  esac
done

install_packages "${PACKAGES[@]}"
install_wheels scripts/requirements.txt
if [ "$want_test" = 1 ]; then
  install_packages "${TEST_PACKAGES[@]}"
  install_wheels scripts/requirements-test.txt
fi
if [ "$want_bench" = 1 ]; then
  install_packages "${BENCH_PACKAGES[@]}"
  install_wheels scripts/requirements-bench.txt
fi
say "everything is in place"
