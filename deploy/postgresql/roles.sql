-- The roles and the database of a gateway. Run once, as a superuser, before the first `gapura migrate --grant`:
--
--   psql -v ON_ERROR_STOP=1 -f roles.sql postgres
--   psql -c '\password gapura_owner' -c '\password gapura_serving' postgres    -- and of the others that are used
--
-- No role has a password here, so none can sign in over the network until it is given one (or a certificate).
--
--   gapura_owner      owns the tables; migrates and grants; nothing serves as it
--   gapura_serving    what `gapura serve` and most commands are; cannot change or remove evidence, nor make tables
--   gapura_erasing    the same, and can carry out an order of erasure (`gapura audit erase`), for whom it is given to
--   gapura_backup     copies the whole server, encrypted (`gapura backup make`), and reads no table
--   gapura_reporting  reads evidence, figures and policies, and nobody's data; for reports, on a replica if there is one

CREATE ROLE gapura_owner LOGIN;
CREATE ROLE gapura_serving LOGIN;
CREATE ROLE gapura_erasing LOGIN IN ROLE gapura_serving;
CREATE ROLE gapura_reporting LOGIN;
CREATE ROLE gapura_backup LOGIN REPLICATION;

CREATE DATABASE gapura OWNER gapura_owner ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE gapura FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE gapura TO gapura_serving;
GRANT CONNECT ON DATABASE gapura TO gapura_reporting, gapura_backup;

ALTER ROLE gapura_reporting IN DATABASE gapura SET default_transaction_read_only = on;
ALTER ROLE gapura_reporting IN DATABASE gapura SET statement_timeout = '5min';

\connect gapura
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
-- The progress of reconciliations: its tables are made by the library that keeps it (DBOS), in a schema of its own.
CREATE SCHEMA dbos AUTHORIZATION gapura_serving;
