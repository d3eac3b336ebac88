from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.registry.existing.identity import PersonIds, packs
from gateway.registry.existing.periods import Period, programmes_on, ranking_on
from gateway.registry.existing.values import UNUSABLE, Kind, MappedColumn, reading_of

_A_NIK = "3578085203849001"
_SOME_DAY = date(2026, 7, 1)


def _read(raw: Any, kind: Kind, **how: Any) -> Any:
    return reading_of(MappedColumn("people.fields.x", "x", kind, **how))(raw)


@pytest.mark.parametrize("kind", ["text", "word", "identifier", "date", "region", "decile", "number", "unit"])
@pytest.mark.parametrize("nothing", [None, "", "  ", "-"])
def test_nothing_is_nothing_whatever_the_column(kind: Kind, nothing: str | None) -> None:
    assert _read(nothing, kind) is None


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (_A_NIK, _A_NIK),
        (f" {_A_NIK} ", _A_NIK),
        (int(_A_NIK), _A_NIK),
        (Decimal(_A_NIK), _A_NIK),
        (int(_A_NIK[:-1]), UNUSABLE),
        (f"0{_A_NIK}", UNUSABLE),
        (float(_A_NIK), UNUSABLE),
        ("3.578085203849E15", UNUSABLE),
        ("3578.0852.0384.9001", UNUSABLE),
        ("٣٥٧٨٠٨٥٢٠٣٨٤٩٠٠١", UNUSABLE),
        (True, UNUSABLE),
        (_A_NIK.encode(), UNUSABLE),
    ],
)
def test_a_national_id_is_sixteen_digits_or_nothing_at_all(raw: object, value: object) -> None:
    assert _read(raw, "identifier") == value


@given(
    st.one_of(st.text(), st.integers(), st.floats(), st.decimals(), st.booleans(), st.binary(), st.dates())
)
def test_no_other_value_ever_becomes_a_national_id(raw: object) -> None:
    """The oracle: what the value shows when it is written down whole, digit for digit."""
    shown = raw.strip() if isinstance(raw, str) else str(raw) if isinstance(raw, int) else ""
    if isinstance(raw, Decimal) and raw.is_finite() and raw == int(raw):
        shown = str(int(raw))
    value = _read(raw, "identifier")
    if re.fullmatch("[0-9]{16}", shown) and not isinstance(raw, bool):
        assert value == shown
    else:
        assert value in (UNUSABLE, None)


@pytest.mark.parametrize(
    ("raw", "form", "value"),
    [
        (date(2026, 7, 1), None, _SOME_DAY),
        (datetime(2026, 7, 1, 23, 30), None, _SOME_DAY),  # noqa: DTZ001 - as a column without zone gives it
        (datetime(2026, 6, 30, 17, 0, tzinfo=UTC), None, _SOME_DAY),
        ("2026-07-01", None, _SOME_DAY),
        ("2026-07-01 12:00:00", None, _SOME_DAY),
        ("01/07/2026", "%d/%m/%Y", _SOME_DAY),
        ("07/01/2026", "%m/%d/%Y", _SOME_DAY),
        ("2026-07-01", "%d/%m/%Y", UNUSABLE),
        ("31/06/2026", "%d/%m/%Y", UNUSABLE),
        ("2026-Q3", "quarter", _SOME_DAY),
        ("2026 TW 3", "quarter", _SOME_DAY),
        ("2026Q5", "quarter", UNUSABLE),
        (20260701, None, UNUSABLE),
    ],
)
def test_a_date_is_read_in_its_one_form(raw: object, form: str | None, value: object) -> None:
    assert _read(raw, "date", format=form) == value


@pytest.mark.parametrize(
    ("raw", "value"),
    [(1, "L"), ("1", "L"), (Decimal(2), "P"), (0, None), (3, UNUSABLE), ("L", UNUSABLE), (1.0, UNUSABLE)],
)
def test_a_code_means_what_the_mapping_says_and_no_other_means_anything(raw: object, value: object) -> None:
    assert _read(raw, "word", values={"1": "L", "2": "P"}, empty=frozenset({"0"})) == value


@pytest.mark.parametrize(("raw", "value"), [(True, "active"), (False, "inactive"), (1, UNUSABLE)])
def test_yes_and_no_are_codes_too(raw: object, value: object) -> None:
    assert _read(raw, "word", values={"true": "active", "false": "inactive"}) == value


def test_without_codes_a_word_must_be_one_of_ours() -> None:
    assert _read("alive", "word", words=frozenset({"alive"})) == "alive"
    assert _read("hidup", "word", words=frozenset({"alive"})) is UNUSABLE


@pytest.mark.parametrize(
    ("raw", "form", "value"),
    [
        ("35.78.08.1003", None, "35.78.08.1003"),
        ("35.78", None, "35.78"),
        ("3578081003", None, UNUSABLE),
        ("3578081003", "undotted", "35.78.08.1003"),
        (3578081003, "undotted", "35.78.08.1003"),
        ("3578", "undotted", "35.78"),
        ("35780810", "undotted", UNUSABLE),
    ],
)
def test_a_region_code_is_dotted_or_said_to_be_without_dots(
    raw: object, form: str | None, value: object
) -> None:
    assert _read(raw, "region", form=form) == value


@pytest.mark.parametrize(
    ("raw", "value"), [(1, 1), ("10", 10), (Decimal(3), 3), (0, UNUSABLE), (11, UNUSABLE), (2.0, UNUSABLE)]
)
def test_a_decile_is_one_to_ten(raw: object, value: object) -> None:
    assert _read(raw, "decile") == value


_KEYS = {
    "number": st.integers(-(2**63), 2**63 - 1),
    "text": st.text(min_size=1, max_size=15).filter(lambda key: len(key.encode()) <= 15 and key[-1] != " ")
    | st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_./", min_size=1, max_size=22),
    "uuid": st.uuids(),
}


@pytest.mark.parametrize("kind", list(_KEYS))
def test_an_id_leads_back_to_its_key_and_to_no_other(kind: Any) -> None:
    ids = PersonIds(bytes(32), kind)

    @given(st.sets(_KEYS[kind], max_size=30))
    def check(keys: set[Any]) -> None:
        named = {ids.id_of(key) for key in keys}
        assert None not in named
        assert len(named) == len(keys)
        for key in keys:
            person_id = ids.id_of(key)
            assert person_id is not None
            assert tuple(ids.keys_of(person_id)) == (key,)

    check()


@given(st.uuids())
def test_an_id_that_was_never_given_leads_nowhere(stranger: UUID) -> None:
    for kind in ("number", "text"):
        ids = PersonIds(bytes(32), kind)  # type: ignore[arg-type]  # both are kinds
        assert all(ids.id_of(key) == stranger for key in ids.keys_of(stranger))


def test_ids_say_nothing_of_the_key_and_differ_by_secret() -> None:
    one, other = PersonIds(bytes(32), "number"), PersonIds(bytes(31) + b"\1", "number")
    ids = [one.id_of(number) for number in range(1000)]
    assert len({person_id.bytes[:4] for person_id in ids if person_id}) > 990
    assert not {one.id_of(number) for number in range(1000)} & {other.id_of(number) for number in range(1000)}


def test_a_uuid_written_as_text_is_looked_for_in_every_spelling() -> None:
    ids = PersonIds(bytes(32), "uuid_text")
    known = UUID(int=2**100 + 17)
    for spelling in (str(known), known.hex, str(known).upper()):
        assert ids.id_of(spelling) == known
        assert spelling in ids.keys_of(known)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        *((None, "number"), (1.5, "number"), (2**63, "number"), (True, "number"), ("", "text")),
        *(("x" * 16, "text"), ("A" * 23, "text"), ("not a uuid", "uuid_text"), (None, "uuid")),
    ],
)
def test_a_key_that_cannot_name_a_person_names_nobody(key: object, kind: Any) -> None:
    assert not packs(key, kind)
    assert PersonIds(bytes(32), kind).id_of(key) is None


_DAYS = st.dates(date(2026, 1, 1), date(2026, 1, 20))
_PERIODS = st.lists(
    st.builds(
        Period,
        st.sampled_from(["PKH", "BPNT", None]),
        st.none() | _DAYS,
        st.none() | _DAYS,
        unsure=st.booleans(),
        unsure_until=st.booleans(),
    ),
    max_size=5,
)


@given(_PERIODS, _DAYS)
def test_programmes_are_said_only_where_every_reading_of_the_unsure_rows_agrees(
    periods: list[Period], day: date
) -> None:
    """The oracle tries what an unsure row could mean, and hears whether that could change the answer."""
    known = set()
    unsettled = False
    for period in periods:
        if (period.starts_on is not None and period.starts_on > day) or (
            period.ends_on is not None and period.ends_on <= day
        ):
            continue
        unsettled |= period.starts_on is None or period.unsure or period.unsure_until
        if period.says is not None:
            known.add(period.says)
    assert programmes_on(periods, day) == (None if unsettled else tuple(sorted(map(str, known))))


def test_of_rankings_that_hold_the_last_to_begin_counts() -> None:
    first, second = Period(4, date(2026, 1, 1)), Period(3, date(2026, 4, 1))
    assert ranking_on([second, first], date(2026, 3, 31)) is first
    assert ranking_on([second, first], date(2026, 4, 1)) is second
    assert ranking_on([first, Period(2, None)], date(2026, 4, 1)) is None
    assert ranking_on([], date(2026, 4, 1)) is None
