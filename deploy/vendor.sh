#!/bin/sh
# Fetches the console's browser libraries anew into gateway/console/static/vendor, by the versions in vendored.json
# there, and writes the list of what came. To take a newer one, change its version there first; then look at the
# pages, for nothing is built or changed on the way.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
exec python3 - "$root/gateway/console/static/vendor" <<'PYTHON'
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

folder = pathlib.Path(sys.argv[1])
list_file = folder / "vendored.json"
listed = json.loads(list_file.read_text())
with tempfile.TemporaryDirectory() as scratch:
    for package in listed["packages"]:
        subprocess.run(
            ["npm", "install", "--prefix", scratch, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error",
             f"{package['name']}@{package['version']}"], check=True, stdout=subprocess.DEVNULL)
        source = pathlib.Path(scratch, "node_modules", package["name"])
        package["files"] = {}
        for name, inside in sorted(package["from"].items()):
            shutil.copyfile(source / inside, folder / name)
            package["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        print(f"{package['name']} {package['version']}: {', '.join(package['files'])}")
list_file.write_text(json.dumps(listed, indent=2) + "\n")
PYTHON
