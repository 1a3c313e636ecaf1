"""What becomes of each line of two crontabs, sixty in all: it stands above the line."""

import pytest
from migrate_jobs import HERE, lines

from pyrunner_airflow.cli.lists import find_in
from pyrunner_airflow.migrate import Move
from pyrunner_airflow.migrate.apps import Apps
from pyrunner_airflow.migrate.crontab import read_crontab
from pyrunner_airflow.tasklist.diagnostics import Problems

CRONTABS = ("crontab", "cron.d")


@pytest.fixture(scope="module", params=CRONTABS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def move(name, apps):
    problems = Problems(name)
    found = read_crontab((HERE / name).read_text().split("\n"), problems)
    assert not problems.has_errors
    return Move(found, name, Apps({str(app): list(map(str, find_in(app))) for app in apps}), ".")


def became(notes):
    """Return what became of a line, in the words of the fixtures."""
    texts = [note.text for note in notes]
    if "starts no PyRunner that can be seen: it stays in the crontab" in texts:
        return "none"
    if not (first := texts[0].partition(":")[0]).endswith(".lst") or " " in first:
        return "unknown"
    if "a DAG that starts it" in texts[0]:
        return f"again {first}"
    return f"{first} by hand" if any(note.is_open for note in notes) else first


def test_there_are_sixty_lines():
    assert sum(len(lines(name)) for name in CRONTABS) >= 60


def test_what_becomes_of_each_line(name, move):
    told = {told.place: became(told.notes) for told in move.told}
    wanted = {f"{name}:{line.number}": line.expected for line in lines(name)}
    assert {place: told[place] for place in wanted} == wanted


def test_no_line_is_left_untold(name, move):
    numbered = enumerate((HERE / name).read_text().split("\n"), 1)
    wanted = {f"{name}:{number}" for number, line in numbered if line.strip() and not line.startswith("#")}
    assert wanted - {told.place for told in move.told if told.notes} == set()
