#!/bin/sh
# Installs Gapura into a folder of its own, with exactly the locked packages: sh deploy/install.sh /opt/gapura
#
# What the image is built with, and what a machine with systemd is. Needs Python 3.11 or newer with venv, and this
# source tree; changes nothing outside the folder. An installation that is there is replaced once the new one is
# complete, so a gateway that runs from it is not disturbed: restart it then. PYTHON names another interpreter.
set -eu
[ "$#" = 1 ] && [ "${1#/}" != "$1" ] || {
    printf 'Say where to, as an absolute path: sh deploy/install.sh /opt/gapura\n' >&2
    exit 2
}
prefix=$1
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV
"$python" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' || {
    printf 'Python 3.11 or newer with venv is needed (apt-get install python3-venv); PYTHON names it.\n' >&2
    exit 1
}
if [ -e "$prefix" ] && [ ! -x "$prefix/bin/gapura" ] && [ -n "$(ls -A "$prefix")" ]; then
    printf '%s holds something else than Gapura: choose an empty folder.\n' "$prefix" >&2
    exit 1
fi

# A virtual environment knows its own path, so the new one is made where it will be, the old one set aside.
mkdir -p "$(dirname "$prefix")"
rm -rf "$prefix.before"
[ ! -e "$prefix" ] || mv "$prefix" "$prefix.before"
trap 'rm -rf "$prefix"; [ ! -e "$prefix.before" ] || mv "$prefix.before" "$prefix"' EXIT
"$python" -m venv "$prefix"
"$prefix/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$root/deploy/requirements.txt"
"$prefix/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index "$root"
install -D -m 0644 "$root/deploy/sbom.cdx.json" "$prefix/share/gapura/sbom.cdx.json"
"$prefix/bin/gapura" --help >/dev/null
trap - EXIT
rm -rf "$prefix.before"
printf 'Installed: %s/bin/gapura\n' "$prefix"
