#!/bin/sh
# Sets up what the benchmarks need, then measures and prints a table: sh deploy/bench.sh [names] [options].
# tests/benchmarks/README.md says how to read it; --help lists names and options.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
lock=deploy/requirements-test.txt
. "$root/deploy/environment.sh"
cd "$root"

command -v wrk >/dev/null || debian_packages wrk
command -v node >/dev/null && command -v npm >/dev/null || debian_packages nodejs npm
npm_packages tests/clients/oidc-provider 'an OpenID provider'

# Benchmarks must not see the settings of whoever runs them.
for name in $(env | sed -n 's/^\(GAPURA_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
exec "$venv/bin/python" -m tests.benchmarks "$@"
