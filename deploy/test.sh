#!/bin/sh
# Sets up what the tests need, then format, lint, strict types and all tests. What CI runs.
# Arguments go to pytest.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
lock=deploy/requirements-test.txt
. "$root/deploy/environment.sh"
cd "$root"

# What others wrote, to test against. Each repeats only when its lock has changed.
python_packages() { # FOLDER NAME
    locked=$(sha256sum <"$1/requirements.txt")
    [ "$(cat "$1/.venv/gapura-lock" 2>/dev/null)" != "$locked" ] || return 0
    printf 'Installing %s ...\n' "$2"
    rm -rf "$1/.venv"
    "$python" -m venv "$1/.venv" &&
        "$1/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes \
            -r "$1/requirements.txt" &&
        printf '%s\n' "$locked" >"$1/.venv/gapura-lock"
}

command -v node >/dev/null && command -v npm >/dev/null || debian_packages nodejs npm
npm_packages tests/clients 'the independent OAuth clients and axe'
npm_packages tests/clients/oidc-provider 'an OpenID provider'
npm_packages tests/clients/koop 'the map server Koop' &
koop=$!
# Those that not every machine can have: their tests are then skipped, and say so.
python_packages tests/clients/pygeoapi 'the map server pygeoapi' || rm -rf tests/clients/pygeoapi/.venv
command -v mapserv >/dev/null || (debian_packages cgi-mapserver) || true
command -v java >/dev/null || (debian_packages openjdk-17-jre-headless) || true
[ -x /usr/sbin/pgbouncer ] || (debian_packages pgbouncer) || true
command -v chromium >/dev/null || (debian_packages chromium) || true
command -v docker-compose >/dev/null || (debian_packages docker-compose) || true
command -v promtool >/dev/null || (debian_packages prometheus) || true
command -v ip >/dev/null || (debian_packages iproute2) || true
[ -e /usr/lib/nginx/modules/ngx_http_js_module.so ] || (debian_packages nginx libnginx-mod-http-js) || true
wait "$koop"

run() {
    printf '== %s\n' "$*"
    "$venv/bin/$@"
}
# In a fresh checkout one process compiles the tests, beside mypy, before four find nothing compiled.
[ -d tests/__pycache__ ] || "$venv/bin/pytest" --collect-only -qq >/dev/null 2>&1 &
compiling=$!
run ruff format --check .
run ruff check .
run mypy
wait "$compiling" || true # pytest below says what is wrong
# Tests must not see the settings of whoever runs them.
for name in $(env | sed -n 's/^\(GAPURA_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
# Half of what the tests do is waiting: four of them keep two cores busy.
run pytest -n 4 --dist loadscope --no-loadscope-reorder "$@"
