"""Alembic's environment: one file in `versions` per schema, never changed after its release."""
