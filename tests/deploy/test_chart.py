"""The Helm chart, as Helm itself reads it, and its manifests as Kubernetes would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

helm_python = pytest.importorskip("helm_python")

CHART = Path(__file__).parents[2] / "deploy" / "chart"
SITE: dict[str, Any] = {
    "image": {"repository": "registry.example.go.id/gapura", "digest": f"sha256:{'a' * 64}"},
    "publicUrl": "https://gapura.example.go.id",
    "secretName": "gapura-serving",
    "migration": {"secretName": "gapura-owner"},
    "home": {"claimName": "gapura-home"},
    "networkPolicy": {"database": {"cidr": "10.20.0.7/32", "ports": [5432, 6432]}},
}
EVERYTHING = SITE | {
    "trustedProxies": "10.42.0.0/16",
    "settings": {"GAPURA_LOG_LEVEL": "WARNING"},
    "image": SITE["image"] | {"pullSecretName": "registry"},
    "ingress": {"enabled": True, "host": "gapura.example.go.id", "tlsSecretName": "site"},
    "networkPolicy": SITE["networkPolicy"] | {"sources": [{"cidr": "203.0.113.0/24", "port": 443}]},
}


def _rendered(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The manifests by their kind."""
    chart = helm_python.Chart.load(CHART)
    chart.validate_schema(values)
    texts = chart.render(values, name="gapura", namespace="kemensos")
    documents = [
        document
        for path, text in texts.items()
        if path.endswith(".yaml")
        for document in yaml.safe_load_all(text)
        if document
    ]
    return {document["kind"]: document for document in documents}


@pytest.mark.parametrize("values", [SITE, EVERYTHING], ids=["the least", "everything"])
def test_helm_finds_nothing_wrong(values: dict[str, Any]) -> None:
    report = helm_python.chart.lint(CHART, values, strict=True)
    assert report["errors"] in (None, [])
    # That it has no icon is all that may be said.
    assert [message for message in report["messages"] or [] if message["severity"] > 1] == []


@pytest.mark.parametrize(
    "values",
    [SITE, EVERYTHING, SITE | {"autoscaling": {"enabled": False}}],
    ids=["the least", "everything", "no autoscaling"],
)
def test_kubernetes_would_take_every_manifest(values: dict[str, Any]) -> None:
    # Here, for it takes seconds to import, and every process collects this module.
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    manifests = _rendered(values)
    assert {"Deployment", "Job", "Service", "PodDisruptionBudget", "NetworkPolicy"} <= manifests.keys()
    for manifest in manifests.values():
        kubernetes_validate.validate(manifest, "1.30", strict=True)


def test_what_is_mistyped_or_left_out_is_refused() -> None:
    wrong: list[dict[str, Any]] = [
        {name: value for name, value in SITE.items() if name != left_out} for left_out in SITE
    ]
    wrong += [
        SITE | {"image": SITE["image"] | {"digest": "latest"}},
        SITE | {"publicUrl": "http://gapura.example.go.id"},
        SITE | {"replicas": 1},
        SITE | {"replica": 2},
        SITE | {"settings": {"GAPURA_DATABASE_URL": "postgresql://somebody:secret@db/gapura"}},
        SITE | {"ingress": {"enabled": True, "host": "", "tlsSecretName": ""}},
    ]
    for values in wrong:
        with pytest.raises(helm_python.HelmError):
            helm_python.Chart.load(CHART).validate_schema(values)


def test_every_pod_is_confined_and_holds_no_secret_in_the_open() -> None:
    manifests = _rendered(EVERYTHING)
    for kind in ("Deployment", "Job"):
        pod = manifests[kind]["spec"]["template"]["spec"]
        [container] = pod["containers"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        assert "@sha256:" in container["image"]
        assert not any("URL" in one["name"] and "postgres" in str(one) for one in container.get("env", []))


def test_the_schema_is_brought_up_to_date_before_anything_serves_it() -> None:
    job = _rendered(SITE)["Job"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    secrets = {
        kind: next(
            volume["secret"]["secretName"]
            for volume in manifest["spec"]["template"]["spec"]["volumes"]
            if "secret" in volume
        )
        for kind, manifest in _rendered(SITE).items()
        if kind in {"Job", "Deployment"}
    }
    assert secrets == {"Job": "gapura-owner", "Deployment": "gapura-serving"}


def test_what_is_for_operators_is_not_served_outside() -> None:
    [rule] = _rendered(EVERYTHING)["Ingress"]["spec"]["rules"]
    paths = {path["path"] for path in rule["http"]["paths"] if path["pathType"] == "Prefix"}
    assert "/v1" in paths
    assert not {path for path in ("/metrics", "/health/live") for served in paths if path.startswith(served)}
