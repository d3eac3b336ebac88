"""Who a consumer is, as it is registered: what a bundle of evidence tells beside the entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.errors import NotFound
from gateway.oauth.consumers import ConsumerStore


def identity_in(consumers: ConsumerStore) -> Callable[[str], dict[str, Any]]:
    """Tells by a consumer's id its name, sector and key ids; the id alone of one that is not registered."""

    def identity(consumer_id: str) -> dict[str, Any]:
        try:
            registered = consumers.get(consumer_id)
        except NotFound:
            return {"id": consumer_id}
        consumer = registered.consumer
        return {
            "id": consumer.id,
            "name": consumer.name,
            "sector": consumer.sector,
            "registered_at": registered.registered_at.isoformat(),
            "keys": sorted(registered.keys),
        }

    return identity
