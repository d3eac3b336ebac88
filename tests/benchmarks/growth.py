"""Whether a request costs the same in a large registry, and among many agreements.

Three gateways in one interleaved run: few people and the shipped agreements; many people; many agreements.
The cost of a request is the processor time of server and database. People are multiplied within the database,
as an import of ten million would take an hour; many agreements are copies in force, of other consumers.
"""

from __future__ import annotations

from contextlib import ExitStack

from policies.library import load_policies
from tests.benchmarks.harness.bench import POLICIES, Bench, asking, question, some_niks
from tests.benchmarks.harness.measured import Measured
from tests.benchmarks.harness.multiplying import multiply_people
from tests.benchmarks.harness.rounds import Contender, interleaved, ratios
from tests.living import LivingGateway

FEW, PEOPLE, AGREEMENTS = "few of both", "many people", "many agreements"


def measure(bench: Bench) -> Measured:
    options = bench.options
    shipped = len(load_policies(POLICIES).agreements)
    with ExitStack() as stack:
        many = bench.policies(copies=options.many_agreements - shipped)
        gateways = {
            FEW: stack.enter_context(bench.gateway()),
            PEOPLE: stack.enter_context(bench.gateway()),
            AGREEMENTS: stack.enter_context(bench.gateway(policies=many)),
        }
        multiply_people(gateways[PEOPLE].settings.effective_database_url, options.many_people)
        contenders = {name: _contender(bench, gateway) for name, gateway in gateways.items()}
        rounds = interleaved(contenders, options.rounds)
    return Measured.under_load(
        "growth",
        rounds,
        {
            ("cost, many people", "x"): ratios(rounds, PEOPLE, FEW, "cost_us"),
            ("cost, many agreements", "x"): ratios(rounds, AGREEMENTS, FEW, "cost_us"),
        },
        f"people: {options.people:,} and {options.many_people:,}",
        f"agreements: {shipped} and {options.many_agreements:,}",
        f"binding: {options.binding}",
    )


def _contender(bench: Bench, gateway: LivingGateway) -> Contender:
    niks = some_niks(gateway.settings.effective_database_url)
    return asking(bench, gateway, bodies=[question([nik]) for nik in niks])
