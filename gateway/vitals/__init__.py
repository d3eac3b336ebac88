"""The signs of life: what an operator has to know and nobody counts, looked up when it is asked for.

A scrape of `/metrics` reads them every few seconds and `gapura doctor` when somebody wonders. Each query is
bounded; none MUST read a person, or tell more than numbers, times, and names that are public.
"""
