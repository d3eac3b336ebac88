"""`python -m gateway.keeping`: what `gateway.keeping.guard` starts. See `gateway.keeping.keeper`."""

import signal

# Before the imports, which take half a second. Ctrl-C in a terminal is meant for who serves: this ends then.
signal.signal(signal.SIGINT, signal.SIG_IGN)

from gateway.keeping.keeper import main  # noqa: E402 - as above

main()
