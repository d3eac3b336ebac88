#!/bin/sh
# Sets up what the tests need, then format, lint, strict types and all tests. What CI runs.
# Arguments go to pytest.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
lock=deploy/requirements-test.txt
. "$root/deploy/environment.sh"
cd "$root"

command -v node >/dev/null && command -v npm >/dev/null || debian_packages nodejs npm
clients=tests/clients
if [ "$(cat "$clients/node_modules/gapura-lock" 2>/dev/null)" != "$(sha256sum <"$clients/package-lock.json")" ]; then
    printf 'Installing the independent OAuth clients ...\n'
    npm ci --prefix "$clients" --ignore-scripts --no-audit --no-fund --loglevel=error
    sha256sum <"$clients/package-lock.json" >"$clients/node_modules/gapura-lock"
fi

run() {
    printf '== %s\n' "$*"
    "$venv/bin/$@"
}
run ruff format --check .
run ruff check .
run mypy
# Tests must not see the settings of whoever runs them.
for name in $(env | sed -n 's/^\(GAPURA_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
run pytest -n 2 --dist loadscope "$@"
