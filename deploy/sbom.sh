#!/bin/sh
# Writes deploy/sbom.cdx.json anew: what the gateway is made of, with licences. After every change of the locks or of
# the console's browser libraries; a test says so. Refuses a licence under which the gateway may not be served.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
lock=deploy/requirements-test.txt
. "$root/deploy/environment.sh"
exec "$venv/bin/python" "$root/deploy/sbom.py"
