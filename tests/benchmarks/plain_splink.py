"""The anchor: a model as Splink's own tutorials build it, with nothing that knows Indonesia.

MUST stay plain: it is what any team would have after a day with the library, on the same rows.
"""

from __future__ import annotations

import ibis
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

_BLOCKS = (
    ("nik",),
    ("birth_date", "region_code"),
    ("birth_date", "full_name"),
    ("full_name", "region_code"),
    ("family_card_number",),
)


def plain_links(
    registry: ibis.Table, extract: ibis.Table, backend: ibis.backends.duckdb.Backend
) -> ibis.Table:
    """Pairs `person_id`, `nik`, `weight` of probability one half or more, trained on these very rows."""
    columns = [
        "nik",
        "family_card_number",
        "full_name",
        "birth_date",
        "birth_place",
        "sex",
        "mother_name",
        "region_code",
    ]
    left = registry.select("person_id", *columns).rename(unique_id="person_id")
    right = extract.select(*columns).mutate(unique_id=extract.nik)
    backend.create_table("plain_left", left.mutate(birth_date=left.birth_date.cast("string")), overwrite=True)
    backend.create_table(
        "plain_right", right.mutate(birth_date=right.birth_date.cast("string")), overwrite=True
    )
    api = DuckDBAPI(backend.con)
    settings = SettingsCreator(
        link_type="link_only",
        comparisons=[
            cl.LevenshteinAtThresholds("nik", [1, 2]),
            cl.JaroWinklerAtThresholds("full_name", [0.92, 0.8]).configure(term_frequency_adjustments=True),
            cl.DateOfBirthComparison("birth_date", input_is_string=True),
            cl.JaroWinklerAtThresholds("mother_name", [0.92, 0.8]),
            cl.ExactMatch("sex"),
            cl.ExactMatch("birth_place"),
            cl.ExactMatch("region_code"),
            cl.ExactMatch("family_card_number"),
        ],
        blocking_rules_to_generate_predictions=[block_on(*block) for block in _BLOCKS],
        retain_matching_columns=False,
    )
    linker = Linker(
        [api.register(f"plain_{side}", dataset_display_name=side) for side in ("left", "right")],
        settings,
        log_level=None,
    )
    linker.training.estimate_probability_two_random_records_match(
        [block_on("nik"), block_on("full_name", "birth_date")], recall=0.6
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=2e6, seed=1)
    for columns in (("birth_date", "full_name"), ("birth_date", "region_code"), ("full_name", "region_code")):
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(*columns), max_pairs=1e6)
    predicted = linker.inference.predict(threshold_match_probability=0.5)
    scored = backend.table(predicted.physical_name)
    # Which side is left is Splink's choice, by the names of the data sets.
    turned = scored.source_dataset_l == "right"
    return scored.select(
        person_id=turned.ifelse(scored.unique_id_r, scored.unique_id_l),
        nik=turned.ifelse(scored.unique_id_l, scored.unique_id_r),
        weight=scored.match_weight,
    )
