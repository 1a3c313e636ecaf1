"""What the page says is tested is what was."""

from __future__ import annotations

from scripts.compatibility import PAGE, Record, records, render, table


def test_the_table_is_that_of_the_recorded_runs():
    page = PAGE.read_text()
    assert page == render(page)


def test_a_run_takes_the_place_of_the_last_one_of_the_same_versions(tmp_path):
    Record("3.3.10", "3.9", "not slow", 900).keep(tmp_path)
    Record("3.3.10", "3.10", "", 1000).keep(tmp_path)
    Record("3.3.9", "3.11", "", 999).keep(tmp_path)
    Record("3.3.10", "3.10", "", 1001).keep(tmp_path)
    assert table(records(tmp_path)).splitlines()[2:-1] == [
        "| 3.3.9 | 3.11 | 999, all |",
        "| 3.3.10 | 3.9 | 900, those of `make test` |",
        "| 3.3.10 | 3.10 | 1,001, all |",
    ]
