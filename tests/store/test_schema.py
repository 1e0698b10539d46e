"""Migrations make the tables the code uses, and every old database still opens."""

from __future__ import annotations

import re
import shutil
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from archdsl.records import State
from archdsl.store import schema
from archdsl.store.store import Store, open_store
from archdsl.store.tables import metadata

ASSETS = Path(__file__).with_name("assets")


def test_the_revisions_are_those_on_disk() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    found = [revision.revision for revision in script.walk_revisions()]
    assert tuple(reversed(found)) == schema.REVISIONS


def test_migrations_make_exactly_the_tables(store: Store) -> None:
    with store.database.read() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": schema.VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []


def test_a_migration_that_fails_leaves_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(connection: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(schema, "create_views", fail)
        with pytest.raises(RuntimeError, match="power cut"):
            open_store(url)
    with open_store(url) as store:
        assert store.studies.all() == []


NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{present}"


def upgrade() -> None:
    with op.batch_alter_table("trial_values") as table:
        table.add_column(sa.Column("note", sa.Text()))
"""


@pytest.mark.parametrize("read_only", [False, True])
def test_an_older_schema_is_upgraded_in_place(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_only: bool
) -> None:
    with open_store(url) as store:
        study = store.studies.ensure(name="a", document={}, objectives={"top1": "maximize"})
    migrations = shutil.copytree(schema.MIGRATIONS, tmp_path / "migrations")
    present = schema.REVISIONS[-1]
    (migrations / "versions" / "9999_next.py").write_text(NEXT.format(present=present))
    monkeypatch.setattr(schema, "MIGRATIONS", migrations)
    monkeypatch.setattr(schema, "REVISIONS", (*schema.REVISIONS, "9999"))
    with open_store(url, create=False, read_only=read_only) as store:
        assert store.studies.all() == [study]
        assert store.trials.front(study.id) == []
        with store.database.read() as connection:
            found = connection.exec_driver_sql("SELECT version_num FROM archdsl_version")
            assert found.scalar() == "9999"
            connection.exec_driver_sql("SELECT note FROM trial_values")


def test_there_is_an_asset_of_every_schema() -> None:
    found = {re.sub(r"schema-(\d+)\.db", r"\1", asset.name) for asset in ASSETS.glob("*.db")}
    assert found == set(schema.REVISIONS)


@pytest.mark.parametrize("revision", schema.REVISIONS)
@pytest.mark.parametrize("read_only", [False, True])
def test_a_database_of_an_old_schema_is_read(
    tmp_path: Path, revision: str, read_only: bool
) -> None:
    path = tmp_path / "old.db"
    shutil.copy(ASSETS / f"schema-{revision}.db", path)
    with open_store(str(path), create=False, read_only=read_only) as store:
        (study,) = store.studies.all()
        assert (study.name, dict(study.objectives)) == (
            "digits",
            {"latency": "minimize", "top1": "maximize"},
        )
        states = [trial.state for trial in store.trials.all(study.id)]
        assert states == [
            State.COMPLETE,
            State.COMPLETE,
            State.COMPLETE,
            State.INFEASIBLE,
            State.RUNNING,
        ]
        assert [trial.number for trial in store.trials.front(study.id)] == [0, 1]
        assert [trial.number for trial in store.trials.front(study.id, robust=True)] == [0, 1, 2]
        running = store.trials.get(study.id, 4)
        assert [(e.epoch, e.value) for e in store.epochs.of_trial(running.id)] == [
            (1, 41.5),
            (2, 55.25),
        ]
        assert {m.quantity for m in store.measurements.of_arch("a0")} == {"latency", "top1"}
        model = store.architectures.find("a0")
        assert (model.kind, model.label, model.spec) == ("model", None, {"archdsl": 1, "depth": 0})
        behind = store.samples.of_trial(store.trials.get(study.id, 0).id)
        assert len(behind["top1"]) == (1 if revision == "0001" else 3)
    connection = sqlite3.connect(path)
    (present,) = connection.execute("SELECT version_num FROM archdsl_version").fetchone()
    connection.close()
    assert present == schema.REVISIONS[-1]


def test_a_kept_module_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    shutil.copy(ASSETS / "schema-0004.db", path)
    with open_store(str(path), create=False, read_only=True) as store:
        module = store.architectures.find("f")
        assert (module.kind, module.label) == ("module", "timm:resnet10t")
        assert [m.value for m in store.measurements.of_arch("f0")] == [4.0]
