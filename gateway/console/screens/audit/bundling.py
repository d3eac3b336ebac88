"""A bundle of evidence as a file: what the API makes, byte for byte, named after what it proves."""

from __future__ import annotations

from starlette.responses import Response

from gateway.console.visit import Visit


async def downloaded(visit: Visit, path: str, reference: str) -> Response:
    """The bundle of an entry, for the reason that the form gives. Raises ApiProblem."""
    typed = await visit.typed("reason")
    answer = await visit.ask("POST", path, typed)
    named = {"Content-Disposition": f'attachment; filename="bundle-{reference}.json"'}
    return Response(answer.content, media_type="application/json", headers=named)
