"""`python -m gateway` is `gapura`."""

from gateway.cli import main

main()
