"""The registry beside the population register: who is who, who died or moved, and what must be looked into.

Comparing is pure (`compare`, `normal`, `duplicates`) and runs on any engine that `engines` opens. MUST NOT
keep an element of the population register: what is stored are verdicts, states and where they come from.
"""
