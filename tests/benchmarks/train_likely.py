"""Trains the model that is shipped, on the training seed, and writes it into the package.

.venv/bin/python -m tests.benchmarks.train_likely [--people 400000]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import ibis

from gateway.reconciliation.linking import model as linking_model
from gateway.reconciliation.linking.training import train
from tests.benchmarks.field_people import TRAINING_SEED, draw_field_people


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=400_000)
    people = parser.parse_args().people
    backend = ibis.duckdb.connect()
    drawn = draw_field_people(people, TRAINING_SEED, backend)
    model = train(
        drawn.registry,
        drawn.extract,
        drawn.confirmed(),
        backend,
        trained_on={"people": "invented", "count": people, "seed": TRAINING_SEED},
    )
    path = Path(linking_model.__file__).with_name("shipped.json")
    model.save(path)
    print(f"{path.name}: {model.digest}")
    for name, levels in model.levels.items():
        print(f"{name:14}", " ".join(f"{level.bits:6.1f}" for level in reversed(levels)))


if __name__ == "__main__":
    main()
