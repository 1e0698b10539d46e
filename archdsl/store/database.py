"""An open database: how it is opened, and its transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache, partial

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from archdsl.errors import ArchdslError, StoreError
from archdsl.store import liveness, postgres, sqlite
from archdsl.store.absence import Absence
from archdsl.store.damage import ALL, Damage, Within, damages
from archdsl.store.engines import Engines
from archdsl.store.errors import DamagedError, EmptyDatabaseError
from archdsl.store.failures import explained
from archdsl.store.location import Location, check_file, keep_apart, locate
from archdsl.store.open_file import OpenFile
from archdsl.store.owner import Owner, is_alive, shares_kernel
from archdsl.store.schema import has_views, is_current, present_revision, upgrade
from archdsl.store.soundness import damaged


class Database:
    """Transactions on one database. Made by `open_database`.

    Args:
        engines: where connections come from.
        location: what messages call the database.
        read_only: refuses every write.
    """

    def __init__(self, *, engines: Engines, location: Location, read_only: bool) -> None:
        self.location = location
        self.place = str(location)
        self.read_only = read_only
        self.engines = engines
        self._absence = Absence(place=self.place)
        self._file: OpenFile | None = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database, whatever others commit meanwhile.

        Raises:
            StoreError: a file that is open for writing is not in its place any more.
        """
        if self._file is not None:
            self._file.check()
        with self._diagnosed(), self._reading() as connection:
            yield connection

    @contextmanager
    def write(self, *, claimant: Owner | None = None) -> Iterator[Connection]:
        """A transaction that no other process's changes can come between.

        Args:
            claimant: who may be given a claim in it; from now on others can tell that it runs.

        Raises:
            StoreError: the database is not in its place any more, which is found out after the
                commit: what was committed is saved when the database is closed.
        """
        if self.read_only:
            raise StoreError(f"database {self.place} was opened for reading only")
        with (
            self._diagnosed(),
            explained(self.place),
            self._begun(self.engines.writer, claimant=claimant) as connection,
        ):
            yield connection
        if self._file is not None:
            self._file.check()

    def refuse_damaged(self, within: Within) -> None:
        """See that rows hold what archdsl writes; others might be shown, or paid for in vain.

        Raises:
            DamagedError: they do not; says which, and what can be read all the same.
        """
        with self._reading() as connection:
            found = damages(connection, within)
        self.refuse(found, within)

    def refuse(self, found: Sequence[Damage], within: Within = ALL) -> None:
        """
        Raises:
            DamagedError: something was found; see `refuse_damaged`.
        """
        if found:
            with self._reading() as connection:
                raise damaged(connection, found, place=self.place, within=within)

    def damages(self) -> list[Damage]:
        """All values of the database that cannot be right."""
        with self._reading() as connection:
            return damages(connection)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with explained(self.place), self._begun(self.engines.reader) as connection:
            yield connection

    @contextmanager
    def _begun(self, engine: Engine, *, claimant: Owner | None = None) -> Iterator[Connection]:
        """A transaction; a server that was there before is given some time to come back.

        Only to its beginning: of what was under way, the caller alone knows whether to do it again.
        """
        with ExitStack() as stack:
            deadline = None
            while True:
                try:
                    if self.engines.liveness is not None and engine is self.engines.writer:
                        self.engines.liveness.keep(claimant)
                    connection = stack.enter_context(engine.begin())
                    break
                except SQLAlchemyError as error:
                    deadline = self._absence.wait(error, deadline)
            yield connection

    @contextmanager
    def _diagnosed(self) -> Iterator[None]:
        """What a row makes of us that no archdsl wrote is told as damage, where there is some."""
        try:
            yield
        except ArchdslError:
            raise
        except Exception as error:
            try:
                self.refuse_damaged(ALL)
            except DamagedError as damage:
                raise damage from error
            except StoreError:  # it cannot be looked at either
                raise error from None
            raise

    def living(self, connection: Connection) -> Callable[[Owner], bool]:
        """Whether an owner still runs, as far as can be known; for one transaction."""
        by_session = partial(liveness.sees, connection)
        elsewhere = shares_kernel if self.engines.liveness is None else by_session
        return cache(partial(is_alive, elsewhere=elsewhere))

    def hold(self) -> None:
        """From now on the database, which is ready to be written, is missed when it goes away: its
        file is watched, its server waited for."""
        if self.location.path is None:
            self._absence.expect()
        else:
            with explained(self.place):
                self._file = OpenFile(self.location.path)

    def close(self) -> None:
        """
        Raises:
            StoreError: the file was removed or replaced; says where what it held was saved.
        """
        if self.engines.liveness is not None:
            self.engines.liveness.close()
        self.engines.reader.dispose()
        if self._file is not None:
            with explained(self.place):
                self._file.close()


def open_database(text: str, *, create: bool, read_only: bool) -> Database:
    """Open, and where needed make or upgrade, the database that `text` names.

    Raises:
        EmptyDatabaseError: there is nothing in it, and it is not to be made.
        StoreError: it cannot be opened, is not ours, or is of a later version.
    """
    location = locate(text)
    if location.path is not None:
        try:
            check_file(location.path, create=create, read_only=read_only)
        except OSError as error:
            raise StoreError(f"{location.path} cannot be reached: {error.strerror}") from error
    keep_apart(location)
    database = Database(
        engines=_engines(location, create=create, read_only=read_only),
        location=location,
        read_only=read_only,
    )
    try:
        with database.read() as connection:
            revision = present_revision(connection, place=database.place)
            whole = is_current(revision) and has_views(connection)
        if revision is None and (read_only or not create):
            raise EmptyDatabaseError(
                f"database {location} is empty; `archdsl search` fills one (which takes a moment "
                "where one has just begun: look again), or say another --db"
            )
        if not read_only:
            _prepare(database, whole=whole)
        elif not whole:
            # Only the tables of this version can be read, so an old database is upgraded first.
            open_database(text, create=False, read_only=False).close()
    except BaseException:
        database.close()
        raise
    return database


def _engines(location: Location, *, create: bool, read_only: bool) -> Engines:
    if location.path is None:
        return postgres.engines_of(location.url, place=str(location))
    if read_only:
        return sqlite.engines_for_reading(location.path)
    return sqlite.engines_of(location.path, mode="rwc" if create else "rw")


def _prepare(database: Database, *, whole: bool) -> None:
    """Make a database that is known to be ours ready to be written; `whole`: its schema is."""
    # Not before it is known to be ours, as this changes the file.
    if database.location.path is not None:
        with explained(database.place):
            sqlite.use_wal(database.engines)
    if not whole:
        with database.write() as connection:
            # Another process may have been quicker.
            revision = present_revision(connection, place=database.place)
            if not (is_current(revision) and has_views(connection)):
                upgrade(connection)
    database.hold()
