"""The Pareto front as two SQL views, for any number of objectives.

Trial B removes trial A when, for some objective o, `high_o(B) < low_o(A)` and B's loss is no
greater than A's in every other objective. `front` takes a value's loss for both of its ends, which
is plain dominance; `front_robust` takes the ends of its interval. An interval holds its value, so
the objective o needs no further comparison.

One sweep along each objective keeps the least loss, in the next objective, of all trials already
passed. It decides one and two objectives exactly, in n log n steps; with more objectives it spares
most trials the comparison with others one by one.
"""

from __future__ import annotations

from sqlalchemy import Connection

_VIEWS = {"front": ("loss", "loss"), "front_robust": ("loss_low", "loss_high")}
"""Name to the columns with the lower and the upper end that it compares."""

VIEWS = frozenset(_VIEWS)

_JSON_OBJECT = {"sqlite": "json_group_object", "postgresql": "json_object_agg"}

_SELECT = """
WITH width AS (
    SELECT study_id, MAX(position) + 1 AS objectives FROM trial_values GROUP BY study_id
),
side AS (
    SELECT own.study_id, own.trial_id, own.position, width.objectives,
           own.{low} AS low, own.{high} AS high, next_value.loss AS other
    FROM trial_values AS own
    JOIN width ON width.study_id = own.study_id
    JOIN trial_values AS next_value
      ON next_value.trial_id = own.trial_id
     AND next_value.position
         = CASE WHEN own.position + 1 < width.objectives THEN own.position + 1 ELSE 0 END
),
stop AS (
    SELECT study_id, trial_id, position, objectives, other, low AS place, 0 AS is_rival
    FROM side
    UNION ALL
    SELECT study_id, trial_id, position, objectives, other, high AS place, 1 AS is_rival
    FROM side
),
sweep AS (
    SELECT stop.*,
           MIN(CASE WHEN is_rival = 1 THEN other END) OVER (
               PARTITION BY study_id, position ORDER BY place, is_rival
               ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
           ) AS least_passed
    FROM stop
),
removed AS (
    SELECT own.trial_id
    FROM sweep AS own
    WHERE own.is_rival = 0
      AND own.least_passed <= own.other
      AND (own.objectives <= 2 OR (
          SELECT 1
          FROM trial_values AS rival
          WHERE rival.study_id = own.study_id
            AND rival.position = own.position
            AND rival.{high} < own.place
            AND NOT EXISTS (
                SELECT 1
                FROM trial_values AS theirs
                JOIN trial_values AS ours
                  ON ours.trial_id = own.trial_id AND ours.objective = theirs.objective
                WHERE theirs.trial_id = rival.trial_id
                  AND theirs.position <> own.position
                  AND theirs.loss > ours.loss
            )
          ORDER BY rival.{high} DESC
          LIMIT 1
      ) = 1)
)
SELECT studies.name AS study, trials.study_id, trials.id AS trial_id, trials.number,
       trials.arch_id,
       (SELECT {json_object}(objective, value)
        FROM trial_values WHERE trial_values.trial_id = trials.id) AS objective_values
FROM trials
JOIN studies ON studies.id = trials.study_id
WHERE trials.state = 'complete'
  AND trials.id NOT IN (SELECT trial_id FROM removed)
"""
# The rivals are tried from the nearest on: in a trade-off, neighbours are the likeliest to win.


def drop_views(connection: Connection) -> None:
    for name in _VIEWS:
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")


def create_views(connection: Connection) -> None:
    json_object = _JSON_OBJECT[connection.dialect.name]
    for name, (low, high) in _VIEWS.items():
        select = _SELECT.format(low=low, high=high, json_object=json_object)
        connection.exec_driver_sql(f"CREATE VIEW {name} AS {select}")
