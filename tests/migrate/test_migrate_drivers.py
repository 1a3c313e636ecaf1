"""What a driver does, as its source tells: twelve, as teams have them."""

import pytest
from migrate_jobs import DRIVERS, HERE

from pyrunner_airflow.migrate.driver import UNKNOWN, Driver

TEMPLATE = """\
import os, sys
from pyrunner import PyRunner
here = os.path.dirname(os.path.realpath(__file__))
app = PyRunner(config_file=f"{here}/config/app_profile", proc_file=f"{here}/config/my.lst")
"""
LISTS = {
    "archive": UNKNOWN,
    "audit": "?/config/audit.lst",
    "billing": "?/config/billing.lst",
    "claims": "?/config/claims.lst",
    "feeds": "?/config/feeds.lst",
    "ingest": "?",
    "ledger": "",
    "legacy": "",
    "mail_out": "config/mail_out.lst",
    "payroll": "?/config/?.lst",
    "rates": "?/config/rates.lst",
    "stock": "?/config/stock.lst",
}
BY_HAND = {
    "archive": {10: "another list", 11: "a second list"},
    "audit": {8: "a class of its own"},
    "billing": {23: "on_failure_callback"},
    "claims": {7: "modules from another folder", 12: "the first row", 19: "code of its own"},
    "feeds": {},
    "ingest": {6: "cwd", 7: "code of its own", 11: "a pool limits"},
    "ledger": {11: "add_node(): rows of a .lst"},
    "legacy": {4: "what it does can't be known: column 1"},
    "mail_out": {
        12: "modules from another folder",
        14: "a callback of a PyRunnerDag",
        17: "a variable for workers",
    },
    "payroll": {19: "a parameter of the run"},
    "rates": {7: "parameters of the run", 13: "the first row", 15: "under a condition"},
    "stock": {},
}
SET = {
    "billing": {
        ("max_active_tasks",): 2,
        ("pyrunner", "notify_email", "to"): ["billing@example.com"],
        ("pyrunner", "notify_email", "on_success"): False,
        ("pyrunner", "cvar", "currency"): "EUR",
    },
    "claims": {
        ("pyrunner", "env", "NLS_LANG"): "GERMAN_GERMANY.UTF8",
        ("pyrunner", "cvar", "limit"): 500,
        ("pyrunner", "cvar", "branches"): ["north", "south"],
        ("pyrunner", "cvar", "dry"): False,
    },
    "ingest": {("pyrunner", "env", "APP_LOG_RETENTION"): "7"},
    "payroll": {("pyrunner", "notify_email", "to"): ["payroll@example.com", "hr@example.com"]},
}


def open_notes(driver):
    return {note.line: note.text for note in driver.notes if note.is_open}


@pytest.fixture
def read(tmp_path):
    """Reads what a driver does beyond the template."""

    def read(text, template=TEMPLATE):
        (tmp_path / "my.py").write_text(template + text)
        return Driver(str(tmp_path / "my.py"))

    return read


@pytest.mark.parametrize("name", DRIVERS)
class TestTwelve:
    def test_its_list(self, name):
        assert Driver(HERE / "drivers" / name).path == LISTS[name].replace("?", UNKNOWN)

    def test_what_it_sets(self, name):
        assert Driver(HERE / "drivers" / name).options == SET.get(name, {})

    def test_what_is_left_to_do(self, name):
        found = open_notes(Driver(HERE / "drivers" / name))
        assert found.keys() == BY_HAND[name].keys()
        assert {line for line, text in BY_HAND[name].items() if text not in found[line]} == set()


class TestTheTemplate:
    @pytest.mark.parametrize(
        "end",
        [
            "sys.exit(app.execute())",
            "exit_status = app.run()\nexit(exit_status)",
            "if app.execute() != 0:\n    print('failed')\n    raise SystemExit(1)",
            "def main():\n    return app.execute()\n\nif __name__ == '__main__':\n    main()",
        ],
    )
    def test_has_nothing_to_be_told(self, read, end):
        assert read(end).notes == []

    def test_is_known_by_another_name(self, read):
        driver = read("import pyrunner as p\np.PyRunner(proc_file='my.lst').execute()", template="")
        assert (driver.is_one, driver.path) == (True, "my.lst")

    @pytest.mark.parametrize("text", ["print(1)", "class PyRunnerTest: pass", "PyRunner = 1", ""])
    def test_another_file_is_none(self, read, text):
        assert not read(text, template="").is_one


class TestTheList:
    @pytest.mark.parametrize(
        "path",
        [
            "here + '/config/my.lst'",
            "'%s/config/my.lst' % here",
            "'%s/config/%s.lst' % (here, 'my')",
            "os.path.join(here, 'config', 'my.lst')",
            "str(Path(here) / 'config' / 'my.lst')",
            "'{}/{}/my.lst'.format(here, 'config')",
            "f'{here}/config/{NAME}.lst'",
        ],
    )
    def test_is_found_however_its_path_is_written(self, read, path):
        text = f"NAME = 'my'\napp.proc_file = {path}"
        assert read(text, TEMPLATE.replace(', proc_file=f"{here}/config/my.lst"', "")).path == (
            f"{UNKNOWN}/config/my.lst"
        )

    def test_that_has_no_end_is_not_computed(self, read):
        text = "a = a + a\nb = 'x' * 10 ** 10\nc = '{:999999999}'.format(1)\napp.proc_file = a + b + c"
        assert read(text).path == UNKNOWN


class TestWhatIsTold:
    @pytest.mark.parametrize(
        ("statement", "told"),
        [
            ("subprocess.run(['kinit'])", "code of its own"),
            ("x = load()", "code of its own"),
            ("if ready():\n    pass", "code of its own"),
            ("with lock():\n    app.execute()", "code of its own"),
            ("count += fetch()", "code of its own"),
            ("for x in rows():\n    app.add_node(id=x)", "rows of a .lst"),
            ("app.config['max_procs'] = int(os.environ['N'])", "is computed"),
            ("app.context['x'] = None", "is computed"),
            ("app.context['x'] = (1, 2)", "it is no text, number, truth value, array or table"),
            ("os.environ.update(A='1')", "[pyrunner] env"),
            ("app.on_restart(print)", "try_number"),
            ("name = input()", "parameters of the run"),
            ("app.unheard_of()", "code of its own"),
            ("app.config['worker_dir'] = '/opt'", "a variable for workers"),
        ],
    )
    def test_each(self, read, statement, told):
        texts = [note.text for note in read(statement).notes if note.is_open]
        assert [text for text in texts if told in text], texts

    def test_a_value_under_a_condition_is_not_taken_over(self, read):
        assert read("if here:\n    app.context['x'] = 1\nelse:\n    app.context['y'] = 1").options == {}

    def test_a_value_of_an_exception_is_not_taken_over(self, read):
        text = "try:\n    app.context['x'] = 1\nexcept OSError:\n    app.context['y'] = 1"
        assert read(text).options == {("pyrunner", "cvar", "x"): 1}

    def test_secrets_are_not_taken_over(self, read):
        driver = read("os.environ['DB_PASSWORD'] = '8-secret'")
        assert driver.options == {}
        assert "8-secret" not in str(driver.notes)
