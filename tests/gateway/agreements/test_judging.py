"""What a draft would break, as the store tells it: only those agreements are tried that it touches."""

from __future__ import annotations

from gateway.agreements.judging import candidate
from gateway.agreements.reading import PolicyReader, case_problems
from gateway.agreements.remembered import Remembered
from gateway.agreements.rows import texts_in_force
from tests.gateway.agreements.bureau import ANI, NAME, OKA, Bureau, rule_text


def test_a_rule_is_judged_by_every_case_that_it_bears_upon_and_anew_when_others_count(bureau: Bureau) -> None:
    """The oracle runs the cases of all agreements; the store only those that may ask about the programme."""
    rule = rule_text(("unknown_when: [unmatched, not_checked, duplicate]", "unknown_when: [duplicate]"))
    draft = bureau.store.save_draft("programme", "pbi-jk", rule, b"", ANI)
    with bureau.store._database.reading() as connection:
        texts = texts_in_force(connection)
    book = PolicyReader().book(candidate("programme", "pbi-jk", rule, texts))
    every = {one for name, text in texts.agreements.items() for one in case_problems(name, text.cases, book)}
    told = bureau.store.judge(draft).problems
    assert set(told) == every != set()
    assert bureau.store.judge(draft).problems == told
    bureau.store.act("agreement", NAME, 1, "revoke", OKA, reason="ended")
    left = bureau.store.judge(draft).problems
    assert set(left) == {one for one in every if not one.startswith(f"{NAME}.cases")} != every


def test_an_answer_is_worked_out_once_while_it_is_among_the_last() -> None:
    remembered, worked_out = Remembered[int](2), []
    for asked in ("a", "b", "a", "c", "a"):
        remembered(asked, lambda: worked_out.append(0) or len(worked_out))
    assert len(worked_out) == 4, "the third question has pushed the first one out"
