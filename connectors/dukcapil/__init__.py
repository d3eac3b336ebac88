"""Dukcapil, the population register: verdicts and person states leave here, elements never."""
