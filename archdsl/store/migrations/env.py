"""Run by Alembic, inside the transaction that `schema.upgrade` hands over."""

from __future__ import annotations

from alembic import context

from archdsl.store.schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
