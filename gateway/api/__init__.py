"""HTTP: one file per resource. Wire models live here and nowhere else; no decision does."""
