#!/bin/sh
# Run once by the PostgreSQL image, after roles.sql: gives the roles the passwords of the site's files.
set -eu
for role in owner serving; do
    psql -q -v ON_ERROR_STOP=1 -v password="$(cat "/run/secrets/$role-password")" --username "$POSTGRES_USER" postgres <<SQL
ALTER ROLE gapura_$role PASSWORD :'password';
SQL
done
