"""The part of a store that is about measurements."""

from __future__ import annotations

from archdsl.records import Measurement
from archdsl.store import measurements, samples
from archdsl.store.database import Database
from archdsl.store.rows import ProtocolUse
from archdsl.store.samples import Aggregate


class Measured:
    """Measurements of architectures, and which of them a trial's values are made of.

    Args:
        database: an open one.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._place = str(database.location)

    def record_measurement(self, arch_id: str, measurement: Measurement) -> None:
        """Keep a measurement, unless one of the same quantity and protocol is stored.

        Raises:
            StoreError: the architecture is unknown.
        """
        with self._database.write() as connection:
            measurements.record(
                connection, arch_id=arch_id, measurement=measurement, place=self._place
            )

    def find_measurement(self, *, arch_id: str, quantity: str, key: str) -> Measurement | None:
        with self._database.read() as connection:
            return measurements.find(connection, arch_id=arch_id, quantity=quantity, key=key)

    def measurements(self, arch_id: str) -> list[Measurement]:
        """All measurements of an architecture, oldest first."""
        with self._database.read() as connection:
            return measurements.of_architecture(connection, arch_id)

    def dates(self, arch_id: str) -> dict[tuple[str, str], str]:
        """(quantity, key) of each measurement of an architecture to when it was stored: ISO 8601
        in UTC."""
        with self._database.read() as connection:
            return measurements.dates(connection, arch_id)

    def behind(self, trial_id: int) -> dict[str, Measurement]:
        """Objective to the measurement that a complete trial's value is of."""
        with self._database.read() as connection:
            return measurements.behind(connection, trial_id=trial_id)

    def all_behind(self, study_id: int) -> dict[int, dict[str, Measurement]]:
        """What `behind` says, of each complete trial of a study by its row."""
        with self._database.read() as connection:
            return measurements.all_behind(connection, study_id=study_id)

    def measured_in(self, study_id: int, quantity: str) -> list[tuple[str, Measurement]]:
        """(identity, measurement) of all complete trials' architectures, oldest first; those made
        outside of the study are among them."""
        with self._database.read() as connection:
            return measurements.measured_in(connection, study_id=study_id, quantity=quantity)

    def samples(self, trial_id: int) -> dict[str, list[Measurement]]:
        """Objective to all measurements behind a complete trial's value, the search's own first."""
        with self._database.read() as connection:
            return samples.behind(connection, trial_id=trial_id)

    def add_sample(
        self, *, trial_id: int, objective: str, measurement: Measurement, pool: Aggregate
    ) -> None:
        """Keep a further measurement of a complete trial and make its value anew from all of them.

        Does nothing when this measurement is behind the value already.

        Args:
            trial_id: row of the trial.
            objective: whose value becomes more precise.
            measurement: of a protocol of its own: another seed, another repeat.
            pool: from all measurements behind the value, the search's own first, to the value.
        """
        with self._database.write() as connection:
            samples.add(
                connection,
                trial_id=trial_id,
                objective=objective,
                measurement=measurement,
                pool=pool,
            )

    def foreign_protocols(self, *, study_id: int, quantity: str, key: str) -> list[ProtocolUse]:
        """The protocols other than `key` of the `quantity` that complete trials stand on."""
        with self._database.read() as connection:
            return measurements.foreign_protocols(
                connection, study_id=study_id, quantity=quantity, key=key
            )
