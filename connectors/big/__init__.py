"""BIG, the geospatial agency: maps, pulled into the gateway's own store; no answer waits for a map server."""
