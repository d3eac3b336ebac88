"""Hours of a healthy gateway as Prometheus sees it, and how each illness looks, for `promtool test rules`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

# One sample a minute. Rules that compare with the day before find what there is of it.
MINUTES = 240
_NODES = ("gateway-1:8080", "gateway-2:8080")
_RUNNING = f"0+60x{MINUTES}"
_ELIGIBILITY = 'gapura_outcomes_total{operation="eligibility",outcome="%s"}'
_SECONDS = 'gapura_request_seconds_bucket{route="/v1/eligibility",le="%s"}'
_EVENT = 'gapura_events_total{event="%s"}'


def _steady(number: float) -> str:
    return f"{number}+0x{MINUTES}"


def _until_late(before: float, after: float, late: int = 60) -> str:
    """A gauge that is `before`, and for the last minutes `after`."""
    return f"{before}+0x{MINUTES - late} {after}+0x{late}"


def _faster_late(slow: int, fast: int, late: int = 60) -> str:
    """A counter that grows by `slow`, and for the last minutes by `fast`."""
    reached = slow * (MINUTES - late)
    return f"0+{slow}x{MINUTES - late} {reached + fast}+{fast}x{late - 1}"


HEALTHY: Mapping[str, str] = {
    **{f'up{{job="gapura",instance="{node}"}}': _steady(1) for node in _NODES},
    **{f'gapura_database_up{{instance="{node}"}}': _steady(1) for node in _NODES},
    **{f'gapura_clock_skew_seconds{{instance="{node}"}}': _steady(-0.01) for node in _NODES},
    'gapura_requests_total{method="POST",route="/v1/eligibility",status="200"}': f"0+600x{MINUTES}",
    'gapura_requests_total{method="GET",route="/health/ready",status="503"}': f"0+600x{MINUTES}",
    _SECONDS % "0.1": _RUNNING,
    _SECONDS % "2.5": _RUNNING,
    _SECONDS % "10.0": _RUNNING,
    _SECONDS % "+Inf": _RUNNING,
    _ELIGIBILITY % "eligible": f"0+400x{MINUTES}",
    _ELIGIBILITY % "ineligible": f"0+190x{MINUTES}",
    _ELIGIBILITY % "unknown": f"0+10x{MINUTES}",
    'gapura_source_reachable{source="dukcapil"}': _steady(1),
    'gapura_source_quota_left{source="dukcapil"}': f"1000000-300x{MINUTES}",
    "gapura_log_entries": _RUNNING,
    "gapura_log_oldest_waiting_seconds": _steady(0.4),
    "gapura_log_unsigned_seconds": _steady(1),
    'gapura_log_uncosigned_seconds{witness="bpk.example/saksi"}': _steady(900),
    "gapura_log_unsound": _steady(0),
    'gapura_database_connections{instance="gateway-1:8080",state="idle"}': _steady(30),
    "gapura_database_connections_most": _steady(100),
    "gapura_disk_bytes": _steady(1e12),
    "gapura_disk_free_bytes": _steady(6e11),
    'gapura_certificate_ends_timestamp_seconds{file="site.pem"}': _steady(1e9),
    "gapura_backup_finished_timestamp_seconds": _steady((MINUTES - 12 * 60) * 60),
    "gapura_archive_late_seconds": f"0+0x{MINUTES - 130} 70+0x5 0+0x125",  # a segment that waited its minute
    'gapura_agreements_ending{days="7"}': _steady(0),
    'gapura_maintenance{by="order"}': _steady(0),
    'gapura_reconciliation_runs{state="failed"}': _steady(1),
    "gapura_reconciliation_still_seconds": _steady(40),
    **{
        _EVENT % event: _steady(2)
        for event in (
            *("audit:forked", "audit:entries_in_no_month"),
            *("chore:failed", "reports:read_from", "vitals:not_read"),
        )
    },
}

_ONE_MORE_EVENT = _until_late(2, 3, late=5)
_FAILING = 'gapura_requests_total{method="POST",route="/v1/eligibility",status="503"}'
# What differs from health; None is a series that is not there. The key says which alerts ring, no others.
ILLNESSES: Mapping[tuple[str, ...], list[Mapping[str, str | None]]] = {
    ("GapuraDown", "GapuraNodeDown"): [
        {f'up{{job="gapura",instance="{node}"}}': _until_late(1, 0) for node in _NODES}
    ],
    ("GapuraDown",): [{f'up{{job="gapura",instance="{node}"}}': None for node in _NODES}],
    ("GapuraNodeDown",): [{f'up{{job="gapura",instance="{_NODES[0]}"}}': _until_late(1, 0)}],
    ("GapuraErrors",): [{_FAILING: _faster_late(0, 30)}],
    ("GapuraSlow",): [{_SECONDS % "0.1": _faster_late(60, 50), _SECONDS % "2.5": _faster_late(60, 50)}],
    ("GapuraSourceDown",): [{'gapura_source_reachable{source="dukcapil"}': _until_late(1, 0)}],
    ("GapuraQuotaLow",): [{'gapura_source_quota_left{source="dukcapil"}': _until_late(1e6, 9e4)}],
    ("GapuraUnknownJump",): [
        {_ELIGIBILITY % "unknown": _faster_late(10, 100)},
        {_ELIGIBILITY % "unknown": _faster_late(0, 40)},
    ],
    ("GapuraEligibleDrop",): [
        {
            _ELIGIBILITY % "eligible": _faster_late(400, 100, late=120),
            _ELIGIBILITY % "ineligible": _faster_late(190, 490, late=120),
        }
    ],
    ("GapuraReidentification",): [
        {'gapura_limit_alarms{pattern="neighbouring_serials",level="alarm"}': _until_late(0, 1)}
    ],
    ("GapuraLogNotIntegrated",): [
        {"gapura_log_oldest_waiting_seconds": _until_late(0.4, 90)},
        {"gapura_log_unsigned_seconds": _until_late(1, 400)},
    ],
    ("GapuraLogForked",): [{_EVENT % "audit:forked": _ONE_MORE_EVENT}],
    ("GapuraLogUnsound",): [{"gapura_log_unsound": _until_late(0, 1)}],
    ("GapuraLogMonthMissing",): [{_EVENT % "audit:entries_in_no_month": _ONE_MORE_EVENT}],
    ("GapuraCosignatureOld",): [
        {'gapura_log_uncosigned_seconds{witness="bpk.example/saksi"}': _until_late(900, 8000)}
    ],
    ("GapuraDatabaseDown",): [{f'gapura_database_up{{instance="{_NODES[1]}"}}': _until_late(1, 0)}],
    ("GapuraConnectionsScarce",): [
        {'gapura_database_connections{instance="gateway-1:8080",state="idle"}': _until_late(30, 90)}
    ],
    ("GapuraBackupOld",): [
        {"gapura_backup_finished_timestamp_seconds": _steady((MINUTES - 40 * 60) * 60)},
        {"gapura_backup_finished_timestamp_seconds": None},
    ],
    ("GapuraArchiveLate",): [{"gapura_archive_late_seconds": f"0+0x{MINUTES - 60} 60+60x59"}],
    ("GapuraReplicaPassedOver",): [{_EVENT % "reports:read_from": _ONE_MORE_EVENT}],
    ("GapuraDiskFull",): [{"gapura_disk_free_bytes": _until_late(6e11, 9e10)}],
    ("GapuraCertificateEnding",): [
        {'gapura_certificate_ends_timestamp_seconds{file="site.pem"}': _steady(MINUTES * 60 + 13 * 86400)},
        {'gapura_certificate_ends_timestamp_seconds{file="site.pem"}': _steady(0)},
    ],
    ("GapuraClockSkew",): [{f'gapura_clock_skew_seconds{{instance="{_NODES[0]}"}}': _until_late(0, -3)}],
    ("GapuraAgreementsEnding",): [{'gapura_agreements_ending{days="7"}': _steady(2)}],
    ("GapuraJobStuck",): [
        {"gapura_reconciliation_still_seconds": _until_late(40, 9000)},
        {'gapura_reconciliation_runs{state="failed"}': _until_late(1, 2, late=30)},
        {'gapura_reconciliation_runs{state="failed"}': f"_x{MINUTES - 30} 1+0x30"},
    ],
    ("GapuraMaintenanceForgotten",): [
        {'gapura_maintenance_overdue_seconds{by="order"}': _until_late(0, 900)}
    ],
    ("GapuraChoreFailing",): [{_EVENT % "chore:failed": _until_late(2, 9, late=5)}],
    ("GapuraBlind",): [{_EVENT % "vitals:not_read": _ONE_MORE_EVENT}],
    # What is no illness: failures while partners know that we are closed, and little that was asked.
    (): [
        {},
        {"gapura_archive_late_seconds": None},  # SQLite, or a server whose log something else archives
        {_FAILING: _faster_late(0, 30), 'gapura_maintenance{by="order"}': _until_late(0, 1)},
        {
            _ELIGIBILITY % "eligible": _steady(0),
            _ELIGIBILITY % "ineligible": _steady(0),
            _ELIGIBILITY % "unknown": _faster_late(0, 1),
        },
    ],
}


def scenarios() -> Iterator[Mapping[str, object]]:
    """Each illness as a test of promtool: which alerts ring at the end, and no others."""
    for alerts, looks in ILLNESSES.items():
        for differs in looks:
            series = {**HEALTHY, **differs}
            ringing = 'count by (alertname) (ALERTS{alertstate="firing"})'
            yield {
                "interval": "1m",
                "name": " ".join(alerts) or "healthy",
                "input_series": [
                    {"series": name, "values": values}
                    for name, values in series.items()
                    if values is not None
                ],
                "promql_expr_test": [
                    {
                        "expr": f"{ringing} > bool 0",
                        "eval_time": f"{MINUTES}m",
                        "exp_samples": _exactly(alerts),
                    }
                ],
            }


def _exactly(alerts: tuple[str, ...]) -> list[Mapping[str, object]]:
    return [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(alerts)]
