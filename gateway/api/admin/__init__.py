"""The admin API, `/admin/v1/`: what Pusdatin's staff do, one file per resource. Consumers never pass here."""
