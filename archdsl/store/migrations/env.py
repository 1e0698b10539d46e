"""Run by Alembic, inside the transaction that `schema.upgrade` hands over."""

from __future__ import annotations

from alembic import context

from archdsl.store.schema import VERSION_TABLE
from archdsl.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    target_metadata=metadata,  # whose naming convention names keys and constraints
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
