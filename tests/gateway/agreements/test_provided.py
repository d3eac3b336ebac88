"""A field that no source has is told when a version is to count, not when the gateway starts next."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.agreements.provided import Provided
from gateway.agreements.refused import ConditionsUnmet
from gateway.agreements.store import PolicyStore
from gateway.commands.policy_sources import provided_here
from gateway.settings import Settings
from tests.gateway.agreements.bureau import ANI, NAME, OKA, SHIPPED, Bureau, agreement_text, cases_text

FIELDS = ("dictionary", "fields")
BLOOD = """
blood_group:
  label: {id: golongan darah, en: blood group}
  type: text
  sensitivity: specific
  source: SOURCE
  ceiling: full
"""


def _dictionary(source: str, ceiling: str = "full") -> bytes:
    added = BLOOD.replace("SOURCE", source).replace("full", ceiling)
    return (SHIPPED / "fields.yaml").read_bytes() + added.encode()


def _store(bureau: Bureau, tmp_path: Path, **more: frozenset[str]) -> PolicyStore:
    """The store of a gateway with the built-in registry, no outside source, and `more` by name."""
    settings = Settings(home=tmp_path)
    known: Provided = {**provided_here(bureau.database, settings), **more}
    return PolicyStore(bureau.database, bureau.clock, lambda: known)


def _problems(store: PolicyStore, content: bytes) -> list[str]:
    version = store.save_draft(*FIELDS, content, b"", ANI)
    return list(store.judge(version).problems)


def test_a_new_field_that_its_source_does_not_have_is_caught_with_its_line(
    bureau: Bureau, tmp_path: Path
) -> None:
    store, content = _store(bureau, tmp_path), _dictionary("dtks")
    (problem,) = _problems(store, content)
    line = content.decode().splitlines().index("blood_group:") + 1
    assert problem.startswith(
        f"fields.yaml:{line}: blood_group: expected a field that the source dtks provides"
    )
    for act in ("submit", "activate"):
        with pytest.raises(ConditionsUnmet, match="blood_group"):
            store.act(*FIELDS, 2, act, ANI)  # type: ignore[arg-type]


@pytest.mark.parametrize("source", ["palang_merah", "dukcapil"])
def test_a_source_has_to_be_configured_before_the_dictionary_expects_more_of_it(
    bureau: Bureau, tmp_path: Path, source: str
) -> None:
    (problem,) = _problems(_store(bureau, tmp_path), _dictionary(source))
    assert f"the source {source} provides" in problem
    assert "configure the source" in problem


def test_a_field_that_its_source_has_or_that_never_leaves_is_no_problem(
    bureau: Bureau, tmp_path: Path
) -> None:
    store = _store(bureau, tmp_path, palang_merah=frozenset({"blood_group"}))
    assert _problems(store, _dictionary("palang_merah")) == []
    store.act(*FIELDS, 2, "discard", ANI, reason="once more")
    assert _problems(_store(bureau, tmp_path), _dictionary("dtks", ceiling="never")) == []


def test_an_agreement_over_a_field_that_nobody_has_is_caught(bureau: Bureau, tmp_path: Path) -> None:
    first = PolicyStore(bureau.database, bureau.clock)  # knows nothing of sources, as an older gateway
    first.save_draft(*FIELDS, _dictionary("dtks"), b"", ANI)
    first.act(*FIELDS, 2, "submit", ANI)
    first.act(*FIELDS, 2, "approve", OKA)
    first.act(*FIELDS, 2, "activate", ANI)
    text = agreement_text(("fields:\n", "fields:\n  blood_group: keep\n"))
    draft = first.save_draft("agreement", NAME, text, cases_text(), ANI)
    told = [problem for problem in _store(bureau, tmp_path).judge(draft).problems if "blood_group" in problem]
    line = text.decode().splitlines().index("  blood_group: keep") + 1
    assert any(
        problem.startswith(f"{NAME}.yaml:{line}: blood_group: expected a field that a source")
        for problem in told
    )


def test_the_shipped_policies_find_their_sources(bureau: Bureau, tmp_path: Path) -> None:
    store = _store(bureau, tmp_path)
    for version in store.versions():
        assert store.judge(version).problems == [], version.name
