"""What only the loader tells: Airflow 3.4 does not list it, so that no importer hears of it."""

from __future__ import annotations

import pytest

from tests.scheduler.test_scheduler_lists import ROW, wait_for_error


@pytest.mark.slow
class TestLinkThatLeadsNowhere:
    def test_it_is_an_error(self, apps, airflow):
        path = apps.add("lost", ROW).path / "link.lst"
        path.symlink_to("nowhere.lst")
        assert "error[unreadable-file]: " in wait_for_error(airflow, str(path))
