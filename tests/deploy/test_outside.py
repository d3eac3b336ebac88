"""What leaves the house: nginx and ingress let each route of the application through, or keep it inside."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import yaml
from fastapi import FastAPI
from starlette.routing import BaseRoute, Mount, Route

from gateway.api.security_txt import PATH as SECURITY_TXT
from gateway.app import build_app, build_services
from gateway.settings import load_settings

DEPLOY = Path(__file__).parents[2] / "deploy"
NGINX = (DEPLOY / "nginx" / "gapura.conf.template").read_text(encoding="utf-8")
# For the machines that watch and collect, which ask the nodes themselves.
INSIDE = frozenset({"/metrics", "/health/live", "/health/ready"})
# Of console and documentation, as browsers ask for them.
SEEN_BY_BROWSERS = frozenset({"/", "/docs", "/docs/vendor", "/docs/static", "/console", "/console/static"})


def _framework(app: object) -> FastAPI:
    """The application within everything that is laid around it."""
    while not isinstance(app, FastAPI):
        app = app._app  # type: ignore[attr-defined] # each layer keeps the next under this name
    return app


def _paths(routes: Iterable[BaseRoute]) -> Iterator[str]:
    """Every path of these routes and of the routers among them, which are included without a prefix."""
    for one in routes:
        if isinstance(one, Route | Mount):
            yield one.path
        else:
            yield from _paths(one.original_router.routes)  # type: ignore[attr-defined] # FastAPI's own


@pytest.fixture(scope="module")
def paths(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[frozenset[str]]:
    """Every path that the application serves."""
    home = tmp_path_factory.mktemp("home")
    shutil.copyfile(migrated_sqlite, home / "gapura.db")
    services = build_services(load_settings({"GAPURA_HOME": str(home)}))
    try:
        yield frozenset(_paths(_framework(build_app(services)).routes))
    finally:
        services.close()


def _by_ingress(path: str, prefixes: frozenset[str]) -> bool:
    """As Kubernetes matches: whole pieces of the path, and the root alone exactly."""
    return path == "/" or any(path == one or path.startswith(f"{one}/") for one in prefixes)


@pytest.fixture(scope="module")
def prefixes() -> frozenset[str]:
    helm_python = pytest.importorskip("helm_python")
    values = {
        "image": {"repository": "registry.example.go.id/gapura", "digest": f"sha256:{'a' * 64}"},
        "publicUrl": "https://gapura.example.go.id",
        "secretName": "gapura-serving",
        "migration": {"secretName": "gapura-owner"},
        "home": {"claimName": "gapura-home"},
        "networkPolicy": {"database": {"cidr": "10.20.0.7/32", "ports": [5432]}},
        "ingress": {"enabled": True, "host": "gapura.example.go.id", "tlsSecretName": "site"},
    }
    rendered = helm_python.Chart.load(DEPLOY / "chart").render(values, name="gapura", namespace="kemensos")
    [text] = [text for path, text in rendered.items() if path.endswith("ingress.yaml")]
    [rule] = yaml.safe_load(text)["spec"]["rules"]
    return frozenset(one["path"] for one in rule["http"]["paths"] if one["pathType"] == "Prefix")


def _by_nginx(path: str) -> bool:
    """As nginx chooses: an exact location, else the longest that the path begins with."""
    locations = re.findall(r"location (= )?(\S+) \{([^}]*)\}", NGINX)
    exact = [body for only, place, body in locations if only and place == path]
    begun = [(len(place), body) for only, place, body in locations if not only and path.startswith(place)]
    return "proxy_pass" in (exact[0] if exact else max(begun)[1])


def test_the_ingress_lets_every_route_through_but_those_of_operators(
    paths: frozenset[str], prefixes: frozenset[str]
) -> None:
    assert {path for path in paths if not _by_ingress(path, prefixes)} == INSIDE


def test_nginx_lets_every_route_through_but_those_of_operators(paths: frozenset[str]) -> None:
    assert {path for path in paths if not _by_nginx(path)} == INSIDE


def test_the_ingress_opens_nothing_that_nobody_serves(
    paths: frozenset[str], prefixes: frozenset[str]
) -> None:
    served = paths - {"/"}
    assert all(any(_by_ingress(path, frozenset({one})) for path in served) for one in prefixes)


def test_what_was_looked_at_is_the_whole_application(paths: frozenset[str]) -> None:
    assert {SECURITY_TXT, "/.well-known/oauth-authorization-server", "/log/checkpoint"} <= paths
    assert {"/admin/v1/maintenance", "/v1/eligibility", "/oauth/token"} | SEEN_BY_BROWSERS <= paths
    assert len(paths) > 100
