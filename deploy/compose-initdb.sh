#!/bin/sh
# Once, in an empty database server: what only a superuser may create. The owner may make roles and is no superuser.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$OWNER_PASSWORD" --username "$POSTGRES_USER" <<'SQL'
create role millrace login nosuperuser createrole password :'password';
create database millrace owner millrace;
\connect millrace
create extension if not exists vector;
-- Without it row-level security keeps the index on words from being used (docs/operations.md).
alter function pg_catalog.ts_match_vq(tsvector, tsquery) leakproof;
SQL
