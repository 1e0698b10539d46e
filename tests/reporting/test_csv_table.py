"""CSV as a spreadsheet reads it."""

from __future__ import annotations

import csv
import io

from archdsl.reporting.trials_table import csv_table


def test_a_text_of_a_csv_is_no_formula() -> None:
    columns = {
        "=1+1": ["=cmd()", "+x", "-x", "@x", "\tx", "x=1", "-0.5", None],
        "low": [-1.5, -2, 3, 0, 1, 2, 4, None],
    }
    heading, *rows = csv.reader(io.StringIO(csv_table(columns), newline=""))
    assert heading == ["'=1+1", "low"]
    assert [row[0] for row in rows] == ["'=cmd()", "'+x", "'-x", "'@x", "'\tx", "x=1", "-0.5", ""]
    assert [row[1] for row in rows[:2]] == ["-1.5", "-2"], "numbers stay numbers"
