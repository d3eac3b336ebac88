"""The breaker and the retry budget against oracles that recount everything from the whole history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connectors.transport.breaker import Breaker, BreakerSettings, Permit, RetryBudget
from connectors.transport.wire import retry_after_s

RULES = BreakerSettings(failures=3, failure_percent=50, window_calls=6, window_s=10.0, open_s=5.0)


class BreakerAgainstHistory(RuleBasedStateMachine):
    """The oracle keeps every outcome ever given and the moments at which the phase must have changed."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(RULES)
        self.now = 0.0
        self.closed_since: float | None = 0.0
        self.opened_at = 0.0
        self.era = 0
        self.probe_out = False
        self.outcomes: list[tuple[int, float, bool]] = []
        self.permits: list[tuple[Permit, int]] = []

    @rule(seconds=st.integers(0, 12))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds / 2

    @rule()
    def somebody_asks(self) -> None:
        rested = self.closed_since is None and self.now - self.opened_at >= RULES.open_s
        expected = self.closed_since is not None or (rested and not self.probe_out)
        assert self.breaker.refuses(self.now) is not expected
        permit = self.breaker.admit(self.now)
        assert (permit is not None) is expected
        if permit is not None:
            self.probe_out = self.closed_since is None
            self.permits.append((permit, self.era))

    @precondition(lambda self: self.permits)
    @rule(data=st.data(), alive=st.sampled_from([True, False, False, None]))
    def an_outcome_arrives(self, data: st.DataObject, alive: bool | None) -> None:
        permit, era = self.permits.pop(data.draw(st.integers(0, len(self.permits) - 1)))
        self.breaker.record(permit, alive=alive, now=self.now)
        if era != self.era:
            return
        if self.closed_since is None:
            self.probe_out = False
            if alive is not None:
                self.change(closed=alive)
        elif alive is not None:
            self.outcomes.append((era, self.now, alive))
            in_era = [(at, ok) for e, at, ok in self.outcomes if e == era][-RULES.window_calls :]
            recent = [ok for at, ok in in_era if self.now - at < RULES.window_s]
            bad = sum(not ok for ok in recent)
            if not alive and bad >= RULES.failures and bad / len(recent) >= RULES.failure_percent / 100:
                self.change(closed=False)

    def change(self, *, closed: bool) -> None:
        self.era += 1
        self.closed_since = self.now if closed else None
        self.opened_at = self.now

    @invariant()
    def the_phase_is_what_the_history_says(self) -> None:
        if self.closed_since is not None:
            assert (self.breaker.phase(self.now), self.breaker.retry_in_s(self.now)) == ("closed", 0.0)
        else:
            left_s = max(0.0, self.opened_at + RULES.open_s - self.now)
            assert self.breaker.phase(self.now) == ("open" if left_s else "half_open")
            assert self.breaker.retry_in_s(self.now) == pytest.approx(left_s)


BreakerAgainstHistory.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestBreakerAgainstHistory = BreakerAgainstHistory.TestCase


@settings(deadline=None)
@given(
    percent=st.integers(0, 100), burst=st.integers(0, 20), questions=st.lists(st.integers(0, 5), max_size=200)
)
def test_any_run_of_questions_gets_at_most_its_share_of_retries_and_the_burst(
    percent: int, burst: int, questions: list[int]
) -> None:
    budget = RetryBudget(percent=percent, burst=burst)
    granted = []
    for wished in questions:
        budget.earn()
        granted.append(sum(budget.spend() for _ in range(wished)))
        assert 0 <= budget.left <= burst
    for first in range(len(granted)):
        spent = 0
        for last in range(first, len(granted)):
            spent += granted[last]
            assert spent * 100 <= burst * 100 + (last - first + 1) * percent


@given(burst=st.integers(0, 300))
def test_the_burst_is_there_from_the_start(burst: int) -> None:
    budget = RetryBudget(percent=0, burst=burst)
    assert [budget.spend() for _ in range(burst + 1)] == [True] * burst + [False]


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001 - Hypothesis adds the zone
    lambda moment: moment.replace(microsecond=0)
)


@given(seconds=st.integers(0, 10**9 - 1), padding=st.sampled_from(["", " ", "\t"]))
def test_retry_after_in_seconds_is_read_as_it_stands(seconds: int, padding: str) -> None:
    assert retry_after_s(f"{padding}{seconds}{padding}", None, NOW) == seconds
    assert retry_after_s(f"{seconds:020}", None, NOW) == seconds


@given(until=MOMENTS, dated=MOMENTS)
def test_retry_after_as_a_date_counts_from_the_answers_own_date_or_else_from_ours(
    until: datetime, dated: datetime
) -> None:
    text, date = format_datetime(until, usegmt=True), format_datetime(dated, usegmt=True)
    assert retry_after_s(text, date, NOW) == max(0.0, (until - dated) / timedelta(seconds=1))
    assert retry_after_s(text, None, NOW) == max(0.0, (until - NOW) / timedelta(seconds=1))
    assert retry_after_s(text, "yesterday", NOW) == retry_after_s(text, None, NOW)


@given(
    text=st.text() | st.from_regex(r"\A[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ .*\Z"), date=st.text()
)
def test_any_other_retry_after_is_harmless(text: str, date: str) -> None:
    wait_s = retry_after_s(text, date, NOW)
    assert wait_s is None or wait_s >= 0


@pytest.mark.parametrize("text", [None, "", "-1", "1.5", "soon", "٣", "1e3", "+5"])
def test_what_is_neither_seconds_nor_a_date_says_nothing(text: str | None) -> None:
    assert retry_after_s(text, None, NOW) is None


def test_more_digits_than_anybody_can_wait_are_a_very_long_time() -> None:
    assert retry_after_s("9" * 5000, None, NOW) == 10**9
