"""Consumers of before onboarding took two people: what the migration makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from sqlalchemy import text

from gateway import migrations
from gateway.database import Database
from gateway.errors import Conflict
from gateway.oauth.consumers import ConsumerStore
from tests.gateway.oauth.partner import make_key, public

KEY = public(make_key("ES256", "one"))
CONSUMER = text(
    "INSERT INTO consumers (id, name, sector, regions, state, registered_at) "
    "VALUES (:id, 'A', 'x', '[\"35\"]', :state, '2026-01-02 03:04:05')"
)
ITS_KEY = text(
    "INSERT INTO consumer_keys (consumer_id, kid, jwk, added_at) "
    "VALUES (:id, :kid, :jwk, '2026-01-02 03:04:05')"
)


@pytest.fixture
def before(database_url: str) -> Iterator[Database]:
    """A database as it was before."""
    opened = Database(database_url)
    config = migrations.config_of()
    with opened.unit_of_work() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
    yield opened
    opened.close()


def _register(database: Database, consumer_id: str, jwk: dict[str, Any], state: str = "active") -> None:
    with database.unit_of_work() as connection:
        connection.execute(CONSUMER, {"id": consumer_id, "state": state})
        key = {"id": consumer_id, "kid": jwk["kid"], "jwk": json.dumps(jwk)}
        connection.execute(ITS_KEY, key)


def test_what_was_registered_goes_on_to_count_and_its_keys_without_end(before: Database) -> None:
    _register(before, "a", KEY)
    _register(before, "b", public(make_key("Ed25519", "two")), "disabled")
    migrations.migrate(before)
    a, b = ConsumerStore(before).list()
    assert (a.active, a.approved_by, a.proposers, a.consumer.sandbox) == (
        True,
        "installation",
        frozenset(),
        False,
    )
    assert not a.consumer.certificate_bound
    assert (b.active, b.disabled_by) == (False, "installation")
    (key,) = a.keys.values()
    assert key.not_before == key.added_at == a.registered_at
    assert (key.standing(a.registered_at), key.not_after, key.approved_by) == ("good", None, "installation")


def test_a_key_that_two_consumers_share_stops_the_migration_and_is_named(before: Database) -> None:
    _register(before, "a", KEY)
    _register(before, "b", {**KEY, "kid": "other"})
    with pytest.raises(Conflict, match=r"one of a and other of b"):
        migrations.migrate(before)
    assert not migrations.is_current(before)
