"""Logs, metrics and traces: the only package that writes any of them.

`log` has the catalogue of events, `counted` what is counted as it happens, `looked_up` what a scrape looks
up, `otlp` sends traces away. What any of them may say is listed in closed catalogues. None MUST write a
body, header, identifier, name, token or query string.
"""

from gateway.telemetry.process import Telemetry

__all__ = ["Telemetry"]
