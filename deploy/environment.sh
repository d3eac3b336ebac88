# Makes .venv with the locked packages. Sourced by demo.sh, test.sh and bench.sh; expects $root and $lock.
# Needs Python 3.11 or newer with venv, and nothing else. Repeats only when the lock has changed.

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# Runs an apt-get install when we are root, else says the one command that an administrator must run.
debian_packages() {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    else
        fail "Missing: $*. Run this once, then try again:  sudo apt-get install $*"
    fi
}

# Installs what a lock of npm names, of programs that others wrote. Repeats only when it has changed.
npm_packages() { # FOLDER NAME
    locked=$(sha256sum <"$1/package-lock.json")
    [ "$(cat "$1/node_modules/gapura-lock" 2>/dev/null)" != "$locked" ] || return 0
    printf 'Installing %s ...\n' "$2"
    npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund --loglevel=error
    printf '%s\n' "$locked" >"$1/node_modules/gapura-lock"
}

# Python keeps what it has compiled: hundreds of interpreters begin here, and each would do it all again.
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV PYTHONDONTWRITEBYTECODE
command -v python3 >/dev/null || debian_packages python3 python3-venv
# Debian's own is built to be fast, a third faster than one built plainly; it goes first where it will do.
python=/usr/bin/python3
"$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || python=python3
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "Python 3.11 or newer is needed; python3 here is $(python3 --version)."
"$python" -c 'import ensurepip, venv' 2>/dev/null || debian_packages python3-venv

venv="$root/.venv"
wanted="$(cat "$root/$lock" "$root/pyproject.toml" | sha256sum | cut -d' ' -f1)"
if [ "$(cat "$venv/gapura-lock" 2>/dev/null)" != "$wanted" ]; then
    printf 'Installing the locked packages into .venv ...\n'
    # An interpreter that moved or a half-made environment is not worth repairing.
    "$venv/bin/python" -c '' 2>/dev/null || rm -rf "$venv"
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r "$root/$lock"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e "$root"
    printf '%s' "$wanted" >"$venv/gapura-lock"
fi
