"""The last few answers to a question that takes seconds: asked alike, it is answered at once.

Whatever an answer depends on MUST be part of what is asked, compared by equality. Holds nothing that could
not be worked out again; one per process, safe to use from every thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Remembered(Generic[Answer]):
    """Answers to the last `most` different questions.

    >>> remembered = Remembered[int](2)
    >>> [remembered(asked, lambda: 7) for asked in "ab"], remembered("a", lambda: 8)
    ([7, 7], 7)
    """

    def __init__(self, most: int) -> None:
        self._last: deque[tuple[object, Answer]] = deque(maxlen=most)

    def __call__(self, asked: object, work_out: Callable[[], Answer]) -> Answer:
        """The answer to `asked`; worked out, where it is not known any more."""
        for before, answer in tuple(self._last):
            if before == asked:
                return answer
        answer = work_out()
        self._last.append((asked, answer))
        return answer
