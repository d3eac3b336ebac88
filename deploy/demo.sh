#!/bin/sh
# Sets everything up in .venv and .gapura, then shows the main job on synthetic people and keeps serving.
# Options are those of `gapura demo`: --once, --port N, --people N.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
lock=deploy/requirements.txt
. "$root/deploy/environment.sh"
cd "$root"
exec "$venv/bin/gapura" demo "$@"
