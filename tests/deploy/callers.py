"""Callers who ask without a pause to breathe, while something dies, and remember what each request came to.

Some never try again: they show when the service was away. Some do as a partner should, and try again after
the time that they are told: they show what a partner notices of it.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from uuid import UUID

import httpx

from gateway.oauth.client import GatewayClient, TokenRequestRefused
from tests.deploy.site import STOP

_ANSWERED = "200"
_PAUSE_S = 0.02
_PATIENCE_S = 60.0
_CALM_WITHIN_S = 120.0
_FIRST_WAIT_S = 0.2


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request: from when to when (seconds of the monotonic clock), and what it came to.

    `said` is the status, or the name of the error where no answer came.
    """

    began: float
    ended: float
    said: str
    exchange_id: UUID | None = None
    retry_after_s: float = 0.0

    @property
    def answered(self) -> bool:
        return self.said == _ANSWERED


@dataclass(frozen=True, slots=True)
class Question:
    """What a patient caller wanted to know, over however many requests."""

    took_s: float
    answered: bool


@dataclass(frozen=True, slots=True)
class Toll:
    """What a death cost. Times are seconds; those of a window are 0 where nothing failed."""

    requests: int
    failed: Counter[str]
    window_s: float
    silence_s: float
    questions: int
    given_up: int
    longest_s: float

    def cells(self) -> dict[str, str]:
        """The columns of the printed table."""
        kinds = ", ".join(f"{count} x {kind}" for kind, count in self.failed.most_common())
        return {
            "requests": str(self.requests),
            "failed": f"{self.failed.total()} ({kinds})" if kinds else "0",
            "first to last failure": f"{self.window_s:.2f} s",
            "longest without an answer": f"{self.silence_s:.2f} s",
            "given up, of those who try again": f"{self.given_up} of {self.questions}",
            "longest wait of these": f"{self.longest_s:.2f} s",
        }


def toll(requests: Sequence[Request], questions: Sequence[Question]) -> Toll:
    """Count what was seen while something died."""
    failures = [one for one in requests if not one.answered]
    answers = sorted(one.ended for one in requests if one.answered)
    window = max(one.ended for one in failures) - min(one.began for one in failures) if failures else 0.0
    return Toll(
        requests=len(requests),
        failed=Counter(one.said for one in failures),
        window_s=window,
        silence_s=max((b - a for a, b in itertools.pairwise(answers)), default=0.0),
        questions=len(questions),
        given_up=sum(not one.answered for one in questions),
        longest_s=max((one.took_s for one in questions), default=0.0),
    )


class Callers:
    """Threads that ask while this context is open, the first `patient` of them patiently."""

    def __init__(self, clients: Sequence[GatewayClient], *, patient: int) -> None:
        self.requests: list[Request] = []
        self.questions: list[Question] = []
        self._in_a_row = [0] * len(clients)
        self._ending = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._ask_patiently if number < patient else self._ask, args=(number, client)
            )
            for number, client in enumerate(clients)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def wait_for_calm(self, answers: int) -> float:
        """Return, and say when, once each caller has had so many answers in a row, all from now on."""
        self._in_a_row[:] = [0] * len(self._in_a_row)
        until = time.monotonic() + _CALM_WITHIN_S
        while min(self._in_a_row) < answers:
            if time.monotonic() > until:
                raise TimeoutError(f"not every caller is answered again: {self._in_a_row} in a row")
            time.sleep(0.02)
        return time.monotonic()

    def _ask(self, number: int, client: GatewayClient) -> None:
        while not self._ending.wait(_PAUSE_S):
            self._note(number, _request(client))

    def _ask_patiently(self, number: int, client: GatewayClient) -> None:
        while not self._ending.wait(_PAUSE_S):
            began, wait_s = time.monotonic(), _FIRST_WAIT_S
            while not (request := self._note(number, _request(client))).answered:
                if time.monotonic() - began > _PATIENCE_S:
                    break
                time.sleep(max(request.retry_after_s, wait_s))
                wait_s *= 2
            self.questions.append(Question(time.monotonic() - began, request.answered))

    def _note(self, number: int, request: Request) -> Request:
        self.requests.append(request)
        self._in_a_row[number] = self._in_a_row[number] + 1 if request.answered else 0
        return request


def _request(client: GatewayClient) -> Request:
    began = time.monotonic()
    try:
        answer = client.post(STOP.path, STOP.body)
    except (httpx.TransportError, TokenRequestRefused, ValueError) as error:
        return Request(began, time.monotonic(), type(error).__name__)
    exchange_id = UUID(answer.json()["exchange_id"]) if answer.status_code == httpx.codes.OK else None
    waiting_s = float(answer.headers.get("Retry-After", 0))
    return Request(began, time.monotonic(), str(answer.status_code), exchange_id, waiting_s)
