"""The benchmarks stay usable: all of them can be imported, and two results can be compared."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from tests.benchmarks import compare
from tests.benchmarks.goals import GOALS, at_least, at_most
from tests.benchmarks.harness.bench import Bench, Options
from tests.benchmarks.harness.load import post, write_requests
from tests.benchmarks.harness.measured import Figure, Measured, figures_of
from tests.benchmarks.harness.report import FORMAT, as_text, written
from tests.benchmarks.harness.rounds import Round, Spoiled, interleaved, ratios
from tests.benchmarks.measures import MEASURES, measure_named

FOLDER = Path(__file__).parent / "benchmarks"
MODULES = sorted(
    ".".join(("tests", *path.relative_to(FOLDER.parent).with_suffix("").parts))
    for path in FOLDER.rglob("*.py")
    if path.name not in {"__init__.py", "__main__.py"}
)


def a_round(per_second: float, errors: int = 0) -> Round:
    return Round(1_000, per_second, 1.0, 2.0, 80.0, 20.0, errors)


def a_result(*per_second: float, commit: str = "1", cores: int = 2) -> dict[str, Any]:
    rounds = {
        "anchor": [a_round(1_000.0) for _ in per_second],
        "ours": [a_round(value) for value in per_second],
    }
    kept = [100 * one for one in ratios(rounds, "ours", "anchor")]
    measured = Measured.under_load("audit", rounds, {("kept with the log on", "%"): kept})
    return {
        "format": FORMAT,
        "commit": commit,
        "machine": {"cores": cores, "load_before": 0.1},
        "versions": {"python": "3.11"},
        "options": {"rounds": len(per_second)},
        "measures": {"audit": written(measured)},
    }


def _kept(file: Path, result: dict[str, Any]) -> str:
    file.write_text(json.dumps(result), encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("module", MODULES)
def test_every_benchmark_can_be_imported(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = ECKey.generate_key("P-256").as_dict(private=False)
    monkeypatch.setenv("BENCH_DATABASE_URL", "postgresql+asyncpg://nobody@127.0.0.1/nothing")
    monkeypatch.setenv("BENCH_TOKEN_KEY", json.dumps(key))
    importlib.import_module(module)


def test_every_measure_has_its_function_and_every_goal_its_measure() -> None:
    assert all(callable(measure_named(name)) for name in MEASURES)
    assert GOALS.keys() <= MEASURES.keys()


def test_a_goal_that_was_not_measured_is_told() -> None:
    with pytest.raises(ValueError, match="kept with the log on"):
        Measured("audit", {}, figures_of("audit", {("something else", "x"): [1.0]}))


def test_a_goal_is_met_on_the_right_side_of_its_bound() -> None:
    assert at_least(2).met(2)
    assert not at_least(2).met(1.9)
    assert at_most(2).met(2)
    assert not at_most(2).met(2.1)


def test_the_report_shows_each_figure_with_its_spread_and_its_goal() -> None:
    figures = figures_of("audit", {("kept with the log on", "%"): [80.0, 90.0, 84.0]})
    lines = as_text(Measured("audit", {"on": [a_round(500.0).raw()]}, figures)).splitlines()
    assert " ".join(lines[-1].split()) == "kept with the log on 84.0 % 80.0 - 90.0 >= 85 % NOT MET"
    assert figures[0] == Figure("kept with the log on", "%", (80.0, 90.0, 84.0), at_least(85))


def test_contenders_take_turns_and_the_first_round_does_not_count() -> None:
    turns: list[str] = []

    def contender(name: str) -> Round:
        turns.append(name)
        return a_round(float(len(turns)))

    rounds = interleaved({name: lambda name=name: contender(name) for name in "ab"}, 2)
    assert turns == ["a", "b", "b", "a", "a", "b"]
    assert [one.per_second for one in rounds["a"]] == [4.0, 5.0]


def test_a_round_with_a_refusal_gives_no_figure() -> None:
    with pytest.raises(Spoiled, match="ours: 3 of 1000"):
        interleaved({"ours": lambda: a_round(1.0, errors=3)}, 1)


def test_requests_are_written_as_the_load_script_reads_them(tmp_path: Path) -> None:
    request = post("127.0.0.1:1", "/v1/x", [("A", "b")], b"{}")
    write_requests(tmp_path / "requests", [request, request])
    length, rest = (tmp_path / "requests").read_bytes().split(b"\n", 1)
    assert int(length) == len(request)
    assert rest == request + length + b"\n" + request
    assert request.endswith(b"Content-Length: 2\r\nA: b\r\n\r\n{}")


def test_many_agreements_are_copies_that_load_with_the_shipped_ones(tmp_path: Path) -> None:
    from policies.library import load_policies  # noqa: PLC0415 - only here

    book = load_policies(Bench(Options(), "", tmp_path).policies(copies=2))
    assert {"agency-0", "agency-1", "bpjs-kesehatan"} <= book.by_consumer.keys()
    own = book.by_consumer["bpjs-kesehatan"]["pbi-jk-eligibility"]
    assert own.limits.requests_per_minute == 1_000_000


def test_two_results_are_compared_figure_by_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _kept(tmp_path / "before.json", a_result(800.0, 810.0, 820.0, commit="old"))
    after = _kept(tmp_path / "after.json", a_result(900.0, 950.0, 960.0, commit="new", cores=4))
    monkeypatch.setattr(sys, "argv", ["compare", before, after])
    compare.main()
    said = capsys.readouterr().out
    assert "other machine: cores was 2, is 4" in said
    assert "load_before" not in said
    line = next(line for line in said.splitlines() if "audit: kept" in line)
    assert line.split()[-6:] == ["81.0", "%", "95.0", "%", "1.17", "differs"]


def test_what_lies_within_the_spread_does_not_differ() -> None:
    before, after = a_result(700.0, 810.0, 900.0), a_result(850.0, 950.0, 960.0)
    assert not any("differs" in line for line in compare.comparison(before, after))
    assert any("1.17" in line for line in compare.comparison(before, after))


def test_a_file_of_another_kind_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="expected a result of format 1, got 9"):
        compare.read_result(Path(_kept(tmp_path / "other.json", {"format": 9})))
