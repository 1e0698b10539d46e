"""Errors of the store that a caller tells apart; all others are plain `StoreError`."""

from __future__ import annotations

from archdsl.errors import StoreError, StudyError


class StudyChangedError(StudyError):
    """A study of this name is stored with another document."""


class DuplicateTrialError(StoreError):
    """The study already holds a trial of this architecture."""


class StaleClaimError(StoreError):
    """The trial has been finished, or another process has taken it over since it was claimed."""


class DamagedError(StoreError):
    """Rows hold what no archdsl wrote."""


class NoServerError(StoreError):
    """The server of a database does not answer, or lets nobody in."""


class NoDatabaseError(StoreError):
    """There is no database yet, or one that nothing was ever written to."""


class EmptyDatabaseError(NoDatabaseError):
    """There is a database, and nothing in it."""
