"""The work that keeps the log in order, whoever does it: three loops that never end by themselves.

It MUST NOT hold anything that is lost with its process: whatever is done here is done again by the next one
if this one dies in the middle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.audit.sequencer import Sequencer
from gateway.audit.subject_index import SubjectIndex
from gateway.overview.counting import TrafficTotals


async def keep_in_order(
    sequencer: Sequencer, index: SubjectIndex, totals: TrafficTotals, failed: Callable[[BaseException], None]
) -> None:
    """Give committed entries their place and sign checkpoints, until cancelled; a step begun is finished.

    `failed` is told what went wrong; the next step tries again.
    """
    await asyncio.gather(
        sequencer.run(failed, followers=(index, totals)),
        # What they were not told while they follow: of a time before them, or more than fits a step.
        index.run(failed),
        totals.run(failed),
    )
