"""How any foreign system is asked over HTTP: deadlines, retries, breaker, what went wrong and whose it is."""
