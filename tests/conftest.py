"""What holds for all tests, and PostgreSQL for those that can use it."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from hypothesis import settings
from sqlalchemy import create_engine, make_url

pytest_plugins = [
    "tests.fixtures.filled_studies",
    "tests.fixtures.storage",
    "tests.fixtures.studies",
]

# A shell that runs the tests in the background has them ignore Ctrl-C, and so would every process
# that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Several files of tests run at a time: torch's threads would wait for each other in a busy loop.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples every time, and as long for each as it takes beside other tests.
settings.register_profile("archdsl", deadline=None, derandomize=True)
settings.load_profile("archdsl")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is kept from one process to the next is not the user's, here and in processes below;
    nor do tests that run side by side, or a search of the user's, wait for each other's devices."""
    os.environ["ARCHDSL_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ["ARCHDSL_LEASES"] = str(tmp_path_factory.mktemp("leases"))


SERVER = "ARCHDSL_TEST_POSTGRES"
"""Environment variable: the URL of a server."""


@contextmanager
def _schema() -> Iterator[str]:
    server = os.environ.get(SERVER)
    if not server:
        pytest.skip(f"{SERVER} names no PostgreSQL server")
    name = f"archdsl_test_{secrets.token_hex(6)}"
    url = make_url(server)
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    try:
        own = url.update_query_dict({"options": f"-csearch_path={name}"})
        yield own.render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql("SET lock_timeout = '20s'")
            connection.exec_driver_sql("SET client_min_messages = warning")
            connection.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")
        engine.dispose()


@pytest.fixture(scope="session")
def postgres_schema() -> Callable[[], AbstractContextManager[str]]:
    """Makes the URL of an empty database: a schema of its own, dropped at the end."""
    return _schema


@pytest.fixture
def postgres(postgres_schema: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """The URL of an empty PostgreSQL database, for one test."""
    with postgres_schema() as url:
        yield url


STARTING = {
    "diary_toys", "noted_trainings", "once", "ray_head", "searched_by_script", "server", "start",
    "toys",
}  # fmt: skip
"""Fixtures that start processes."""


@pytest.hookimpl(tryfirst=True)  # before the choice by marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts processes is marked; and the files that take longest come first: of two that run
    side by side, none is left for the end."""
    for item in items:
        if isinstance(item, pytest.Function) and STARTING.intersection(item.fixturenames):
            item.add_marker("process")
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
