"""Map servers that others wrote, as instruments: Koop (npm), pygeoapi (PyPI), MapServer (Debian).

Each is given a GeoJSON file and serves it until the test is over; all are asked to page by two features.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.connectors.simulated import served

CLIENTS = Path(__file__).parents[1] / "clients"
KOOP = CLIENTS / "koop"
# In an environment of its own: it installs a package named `tests` that would stand before ours.
PYGEOAPI = CLIENTS / "pygeoapi" / ".venv" / "bin" / "pygeoapi"
START_UP_S = 60

needs_koop = pytest.mark.skipif(
    not (KOOP / "node_modules").is_dir(),
    reason="Koop is missing: `npm ci --ignore-scripts --prefix tests/clients/koop` installs it (66 MB)",
)
needs_pygeoapi = pytest.mark.skipif(
    not PYGEOAPI.exists(),
    reason="pygeoapi is missing; in tests/clients/pygeoapi: `python3 -m venv .venv && "
    ".venv/bin/pip install --require-hashes -r requirements.txt` installs it (Python 3.11)",
)
needs_mapserver = pytest.mark.skipif(
    shutil.which("mapserv") is None,
    reason="MapServer is missing: `apt-get install --no-install-recommends cgi-mapserver` installs it",
)


@contextmanager
def koop(folder: Path) -> Iterator[str]:
    """Serves each NAME.geojson of `folder` as /NAME/FeatureServer/0 of the address given."""
    port = _free_port()
    command = ["node", "serve.mjs", str(folder), str(port)]
    with _running(command, port, cwd=KOOP, env={"SUPPRESS_NO_CONFIG_WARNING": "1"}):
        yield f"http://127.0.0.1:{port}/file-geojson/rest/services"


@contextmanager
def pygeoapi(folder: Path) -> Iterator[str]:
    """Serves each NAME.geojson of `folder` as collection NAME."""
    port = _free_port()
    config, openapi = folder / "pygeoapi.yaml", folder / "openapi.yaml"
    address = f"http://127.0.0.1:{port}"
    config.write_text(yaml.safe_dump(_pygeoapi_config(folder, address, port)), encoding="utf-8")
    env = {"PYGEOAPI_CONFIG": str(config), "PYGEOAPI_OPENAPI": str(openapi)}
    generate = [PYGEOAPI, "openapi", "generate", config, "--output-file", openapi]
    subprocess.run(generate, check=True, capture_output=True, env=os.environ | env, timeout=START_UP_S)
    with _running([str(PYGEOAPI), "serve"], port, cwd=folder, env=env):
        yield address


@contextmanager
def mapserver(folder: Path) -> Iterator[str]:
    """Serves each NAME.geojson of `folder` as feature type ms:NAME of /wfs, by the CGI program itself."""
    map_file, config = folder / "villages.map", folder / "mapserver.conf"
    config.write_text('CONFIG\n  ENV\n    MS_MAP_PATTERN "."\n  END\nEND\n', encoding="utf-8")

    def answer(request: Request) -> Response:
        env = {
            "REQUEST_METHOD": "GET",
            "QUERY_STRING": request.url.query,
            "MAPSERVER_CONFIG_FILE": str(config),
            "MS_MAPFILE": str(map_file),
        }
        done = subprocess.run(["mapserv"], env=os.environ | env, capture_output=True, check=False, timeout=30)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
        return Response(body, int(fields.get("Status", "200")[:3]), media_type=fields["Content-Type"])

    with served(Starlette(routes=[Route("/wfs", answer)])) as address:
        map_file.write_text(_map_file(folder, f"{address}/wfs"), encoding="utf-8")
        yield address


@contextmanager
def _running(command: list[str], port: int, *, cwd: Path, env: Mapping[str, str]) -> Iterator[None]:
    """A server while it is needed. It said what was wrong in a file, if it does not come up."""
    log = cwd / "server.log" if cwd != KOOP else Path(os.devnull)
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=cwd, env=os.environ | env, stdout=output, stderr=output)
        try:
            _wait_for(port, process)
            yield
        finally:
            process.terminate()
            process.wait(timeout=START_UP_S)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_UP_S
    while time.monotonic() < until:
        assert process.poll() is None, f"the server ended with {process.returncode}"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the server did not come up")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _pygeoapi_config(folder: Path, address: str, port: int) -> dict[str, Any]:
    keywords = {"title": "Villages", "description": "Synthetic", "keywords": ["synthetic"]}
    return {
        "server": {
            "bind": {"host": "127.0.0.1", "port": port},
            "url": address,
            "mimetype": "application/json; charset=UTF-8",
            "encoding": "utf-8",
            "languages": ["en-US"],
            "limits": {"default_items": 2, "max_items": 2},
            "map": {"url": "http://127.0.0.1/", "attribution": "none"},
        },
        "logging": {"level": "ERROR"},
        "metadata": {
            "identification": keywords
            | {"keywords_type": "theme", "terms_of_service": "none", "url": "http://127.0.0.1"},
            "license": {"name": "none", "url": "http://127.0.0.1"},
            "provider": {"name": "tests", "url": "http://127.0.0.1"},
            "contact": {"name": "tests"},
        },
        "resources": {
            file.stem: {
                "type": "collection",
                **keywords,
                "extents": {"spatial": {"bbox": [90, -15, 145, 10]}},
                "links": [],
                "providers": [
                    {"type": "feature", "name": "GeoJSON", "data": str(file), "id_field": "OBJECTID"}
                ],
            }
            for file in folder.glob("*.geojson")
        },
    }


def _map_file(folder: Path, address: str) -> str:
    layers = "".join(
        f"""
  LAYER
    NAME "{file.stem}"
    TYPE POLYGON
    STATUS ON
    CONNECTIONTYPE OGR
    CONNECTION "{file}"
    PROJECTION "init=epsg:4326" END
    METADATA
      "wfs_title" "{file.stem}"
      "gml_include_items" "all"
      "gml_featureid" "OBJECTID"
      "gml_types" "auto"
      "wfs_enable_request" "*"
    END
  END"""
        for file in sorted(folder.glob("*.geojson"))
    )
    return f"""MAP
  NAME "tests"
  EXTENT 90 -15 145 10
  SIZE 10 10
  PROJECTION "init=epsg:4326" END
  WEB
    METADATA
      "wfs_title" "tests"
      "wfs_onlineresource" "{address}"
      "wfs_srs" "EPSG:4326 CRS:84"
      "wfs_enable_request" "*"
    END
  END{layers}
END
"""


def write_layer(folder: Path, name: str, features: list[dict[str, Any]], **members: Any) -> None:
    """One GeoJSON file. `members` stand beside the features, as Koop's `metadata` does."""
    document = {"type": "FeatureCollection", **members, "features": features}
    (folder / f"{name}.geojson").write_text(json.dumps(document), encoding="utf-8")
