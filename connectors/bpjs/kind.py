"""BPJS Kesehatan as a kind of source: its credentials, what is remembered of it, its simulator."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import ASGIApp

from connectors.base import Connector
from connectors.bpjs.connector import BpjsConnector, BpjsCredentials
from connectors.kind import (
    Clock,
    Connect,
    OwnKeys,
    Secrets,
    SimulatedPerson,
    Simulation,
    SourceKind,
    Surroundings,
)
from connectors.simulators.bpjs import BpjsSimulator, members_among
from connectors.transport.settings import SourceSettings


def _configure(keys: OwnKeys, source: SourceSettings, secrets: Secrets) -> Connect:
    del keys
    credentials = BpjsCredentials(**secrets)

    def connect(surroundings: Surroundings) -> Connector:
        return BpjsConnector(surroundings.transport(source), credentials, clock=surroundings.clock)

    return connect


def _serve(people: Sequence[SimulatedPerson], secrets: Secrets, clock: Clock) -> ASGIApp:
    consumer_id, secret, user_key = (secrets[name] for name in BPJS.secrets)
    return BpjsSimulator(members_among(people), consumer_id, secret, user_key, clock=clock).app


BPJS = SourceKind(
    name="bpjs",
    section=OwnKeys,
    secrets=("consumer_id", "secret", "user_key"),
    words={
        "bpjs_membership_status": frozenset({"active", "inactive"}),
        "bpjs_segment": frozenset({"pbi_apbn", "pbi_apbd", "other"}),
        "bpjs_class": frozenset({"1", "2", "3"}),
    },
    configure=_configure,
    simulation=Simulation(
        serve=_serve,
        secrets={"consumer_id": "10000", "secret": "rahasia-latihan", "user_key": "kunci-latihan"},
        path="/vclaim-rest",
    ),
    nik_in_address="VClaim looks a member up at Peserta/nik/{nik}/tglSEP/{day} and in no other way.",
)
