"""`/.well-known/security.txt` (RFC 9116): whom to tell, for somebody who found a weakness.

Public, and made of the settings alone. Without a contact there is no such file: a promise to listen that
nobody keeps is worse than none. It MUST NOT name a private person, and never says more than was set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Response

from gateway.api.problems import MEDIA_TYPE
from gateway.errors import NotFound
from gateway.settings import Settings

PATH = "/.well-known/security.txt"
# A copy that somebody kept ends after this time; the RFC asks for less than a year. What is served has never
# ended: it is as true as the settings of the process that serves it.
_GOOD_FOR = timedelta(days=90)
_CACHEABLE = {"Cache-Control": "public, max-age=3600"}
_TEXT = "text/plain; charset=utf-8"


def router(settings: Settings, clock: Callable[[], datetime]) -> APIRouter:
    """The one public route."""
    routes = APIRouter(tags=["operation"])

    @routes.get(
        PATH,
        response_class=Response,
        responses={
            200: {"description": "RFC 9116.", "content": {"text/plain": {"schema": {"type": "string"}}}},
            404: {
                "description": "This installation names no contact.",
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        },
    )
    async def security_txt() -> Response:
        """Whom to tell of a weakness of this gateway, in which languages, and by which rules."""
        if not settings.security_contacts:
            raise NotFound("This installation names no contact for weaknesses.")
        return Response(security_text(settings, clock()), media_type=_TEXT, headers=_CACHEABLE)

    return routes


def security_text(settings: Settings, now: datetime) -> str:
    """The whole file as of `now`: fields in the RFC's order, contacts in the order of preference.

    It ends 90 days after the beginning of the UTC day of `now`, so that a day's copies are the same.
    """
    return "".join(f"{name}: {value}\n" for name, value in _fields(settings, now))


def _fields(settings: Settings, now: datetime) -> Iterator[tuple[str, str]]:
    for contact in settings.security_contacts:
        yield "Contact", contact
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    yield "Expires", f"{day + _GOOD_FOR:%Y-%m-%dT%H:%M:%SZ}"
    yield "Preferred-Languages", settings.security_languages
    # A web address in it must be https (2.5); without TLS, on somebody's own machine, none is canonical.
    if settings.issuer.startswith("https:"):
        yield "Canonical", settings.issuer + PATH
    if settings.security_policy is not None:
        yield "Policy", str(settings.security_policy)
