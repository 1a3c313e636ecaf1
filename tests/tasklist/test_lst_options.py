"""Options of a list: its front matter, and the pyrunner.toml files that hold for it."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from lst_text import row, rows
from pyrunner.serde.list import ListSerDe

from pyrunner_airflow.tasklist import AssetSchedule, LstError, NotifyEmail, Options, parse_lst, read_lst
from pyrunner_airflow.tasklist.schema import DagOptions, PyRunnerOptions, RowOptions, TaskOptions

HOUR = timedelta(hours=1)
LIST = rows("-1", "1", "1", "2,3")
"""Rows 1 to 4."""


def front_matter(*lines):
    return "".join(f"#AIRFLOW {line}\n" for line in lines)


def options(*lines):
    return parse_lst(front_matter(*lines) + LIST).options


def errors(*lines):
    with pytest.raises(LstError) as caught:
        parse_lst(front_matter(*lines) + LIST, "my.lst")
    return caught.value.diagnostics


def error(*lines):
    (found,) = errors(*lines)
    return found


def hint(*lines):
    return error(*lines).hint


@pytest.fixture
def write(tmp_path):
    """Write a file below the test's folder."""

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture
def read(write, tmp_path):
    """Read the list my.lst that has a pyrunner.toml beside it."""

    def read(toml, *lines):
        write("pyrunner.toml", toml)
        return read_lst(write("my.lst", front_matter(*lines) + LIST)).options

    return read


@pytest.fixture
def refuse(read, tmp_path):
    """Return the errors of my.lst and the pyrunner.toml beside it."""

    def refuse(toml, *lines):
        with pytest.raises(LstError) as caught:
            read(toml, *lines)
        return caught.value.diagnostics

    return refuse


DAG_VALUES = [
    ("description", '"Nightly load"', "Nightly load", "1"),
    ("schedule", '"0 6 * * *"', "0 6 * * *", '"0 25 * * *"'),
    ("schedule", '"*/5 8-17 * * mon-fri"', "*/5 8-17 * * mon-fri", '"hourly"'),
    ("schedule", '"@daily"', "@daily", '"@dayly"'),
    ("schedule", '"@continuous"', "@continuous", '""'),
    ("schedule", '"0 6 29 2 *"', "0 6 29 2 *", '"0 6 31 2 *"'),
    ("schedule", '"0 6 * * * 0 2020"', "0 6 * * * 0 2020", "6"),
    ("schedule", '{ assets = ["s3://a/b"] }', AssetSchedule(["s3://a/b"]), "{ any = true }"),
    (
        "schedule",
        '{ assets = ["s3://a"], any = true }',
        AssetSchedule(["s3://a"], any=True),
        "{ assets = [] }",
    ),
    ("start_date", "2024-01-31", date(2024, 1, 31), '"2024-01-31"'),
    ("start_date", "2024-01-31T06:00:00", datetime(2024, 1, 31, 6), "06:00:00"),
    ("start_date", "2024-01-31 06:00:00Z", datetime(2024, 1, 31, 6, tzinfo=UTC), "2024"),
    ("end_date", "2024-01-31T06:00:00+01:00", datetime(2024, 1, 31, 6, tzinfo=timezone(HOUR)), "true"),
    ("catchup", "true", True, '"true"'),
    ("max_active_runs", "3", 3, "0"),
    ("max_active_runs", "2147483647", 2**31 - 1, "2147483648"),
    ("max_active_tasks", "16", 16, "1.5"),
    ("dagrun_timeout", "3600", HOUR, "0"),
    ("dagrun_timeout", '"01:00:00"', HOUR, '"1h"'),
    ("dagrun_timeout", '"PT1H"', HOUR, '"-PT1H"'),
    ("dagrun_timeout", '"P1DT1H"', timedelta(days=1, hours=1), "inf"),
    ("tags", '["etl", "nightly"]', ["etl", "nightly"], '"etl"'),
    ("tags", "[]", [], '["etl", ""]'),
    ("params", '{ day = "2024-01-31", n = [1, 2.5] }', {"day": "2024-01-31", "n": [1, 2.5]}, "[]"),
    ("params", "{}", {}, "{ day = 2024-01-31 }"),
    ("params", "{ a = { b = true } }", {"a": {"b": True}}, "{ n = nan }"),
    ("is_paused_upon_creation", "false", False, "0"),
    ("rerun_with_latest_version", "true", True, '"yes"'),
    (
        "access_control",
        '{ Ops = ["can_read"] }',
        {"Ops": {"DAGs": {"can_read"}}},
        '{ Ops = ["can_create"] }',
    ),
    (
        "access_control",
        '{ Ops = { DAGs = ["can_read"], "DAG Runs" = ["can_create", "can_read"] } }',
        {"Ops": {"DAGs": {"can_read"}, "DAG Runs": {"can_create", "can_read"}}},
        '{ Ops = { DAGs = "can_read" } }',
    ),
]
NO_URIS = [
    "orders",
    "",
    "s3:lake",
    "s3://",
    "S3://lake",
    "airflow://lake",
    "s3://a b",
    "s3://größe",
    "s3://u:p@lake",
    "s3://[::1]/a",
    "s3://lake/",
    "s3://lake#1",
    f"s3://{'x' * 1500}",
]
TASK_VALUES = [
    ("owner", '"etl"', "etl", "1"),
    ("pool", '"mysql"', "mysql", '""'),
    ("pool_slots", "2", 2, "-1"),
    ("queue", '"heavy"', "heavy", "[]"),
    ("priority_weight", "-5", -5, '"high"'),
    ("priority_weight", "0", 0, "2147483648"),
    ("executor", '"LocalExecutor"', "LocalExecutor", "false"),
    ("execution_timeout", "0.5", timedelta(milliseconds=500), '"30"'),
    ("execution_timeout", '"PT90M"', timedelta(minutes=90), "nan"),
    ("retry_exponential_backoff", "true", True, '"true"'),
    ("retry_exponential_backoff", "2", 2.0, "-1"),
    ("retry_exponential_backoff", "1.5", 1.5, "inf"),
    ("max_retry_delay", "600", timedelta(minutes=10), "true"),
    ("depends_on_past", "true", True, "1"),
    ("run_as_user", '"etl"', "etl", "1000"),
    ("max_active_tis_per_dag", "1", 1, "0"),
]
ROW_VALUES = [
    (
        "outlets",
        '["s3://lake/orders", "x-y+z://host:80/a%20b?c=d"]',
        ["s3://lake/orders", "x-y+z://host:80/a%20b?c=d"],
        '"s3://lake/orders"',
    ),
    *[("outlets", '["file:///a"]', ["file:///a"], f"[{uri!r}]") for uri in NO_URIS],
]
PYRUNNER_VALUES = [
    ("timezone", '"Europe/Berlin"', "Europe/Berlin", '"Europe/Berln"'),
    ("timezone", '"UTC"', "UTC", '"../UTC"'),
    ("timezone", '"America/Argentina/Ushuaia"', "America/Argentina/Ushuaia", '"Europe"'),
    ("env", '{ APP_DAY = "1", _x = "" }', {"APP_DAY": "1", "_x": ""}, "{ APP_DAY = 1 }"),
    ("env", "{}", {}, '{ "APP-DAY" = "1" }'),
    (
        "cvar",
        '{ "any key" = [1], b.c = 2024-01-31 }',
        {"any key": [1], "b": {"c": date(2024, 1, 31)}},
        '"a=1"',
    ),
    ("cvar", "{ a = false }", {"a": False}, '{ "" = 1 }'),
    ("notify_email", '"ops@example.com"', NotifyEmail(["ops@example.com"]), "true"),
    (
        "notify_email",
        '["a@example.com", "b@example.com"]',
        NotifyEmail(["a@example.com", "b@example.com"]),
        "[1]",
    ),
    (
        "notify_email",
        '["root@localhost", "On Call <on.call+night@example.com>"]',
        NotifyEmail(["root@localhost", "On Call <on.call+night@example.com>"]),
        '"On Call <on.call@example.com"',
    ),
    (
        "notify_email",
        '{ to = "ops@example.com", on_success = false }',
        NotifyEmail(["ops@example.com"], on_success=False),
        '{ to = "ops@example.com", on_success = "no" }',
    ),
    (
        "notify_email",
        '{ to = ["ops@example.com"], on_fail = false }',
        NotifyEmail(["ops@example.com"], on_fail=False),
        "{ on_fail = false }",
    ),
    ("notify", "[]", [], '"a.B"'),
    ("templates", "false", False, '"false"'),
    ("app_root", '"/srv/app"', "/srv/app", "[]"),
    ("python", '"~/venv/bin/python"', "~/venv/bin/python", '""'),
    ("cwd", '"work"', "work", '""'),
]


class TestValues:
    @pytest.mark.parametrize(("key", "good", "value", "bad"), DAG_VALUES)
    def test_of_the_dag(self, key, good, value, bad):
        assert options(f"{key} = {good}") == Options(dag={key: value})
        assert type(options(f"{key} = {good}").dag[key]) is type(value)
        assert error(f"{key} = {bad}").code == "invalid-option"

    @pytest.mark.parametrize(("key", "good", "value", "bad"), TASK_VALUES)
    def test_of_all_tasks(self, key, good, value, bad):
        assert options("[default_args]", f"{key} = {good}") == Options(default_args={key: value})
        assert error("[default_args]", f"{key} = {bad}").code == "invalid-option"

    @pytest.mark.parametrize(("key", "good", "value", "bad"), [*TASK_VALUES, *ROW_VALUES])
    def test_of_one_task(self, key, good, value, bad):
        assert options("[tasks.4]", f"{key} = {good}") == Options(tasks={4: {key: value}})
        assert error("[tasks.4]", f"{key} = {bad}").code == "invalid-option"

    @pytest.mark.parametrize(("key", "good", "value", "bad"), PYRUNNER_VALUES)
    def test_of_pyrunner(self, key, good, value, bad):
        assert options("[pyrunner]", f"{key} = {good}") == Options(**{key: value})
        assert error("[pyrunner]", f"{key} = {bad}").code == "invalid-option"

    @pytest.mark.parametrize(
        ("table", "values"),
        [
            (DagOptions, DAG_VALUES),
            (TaskOptions, TASK_VALUES),
            (RowOptions, [*TASK_VALUES, *ROW_VALUES]),
            (PyRunnerOptions, PYRUNNER_VALUES),
        ],
    )
    def test_none_is_left_out_here(self, table, values):
        tables = {"default_args", "tasks", "pyrunner"}
        assert {key for key, *_ in values} == table.__annotations__.keys() - tables

    def test_one_row_may_have_an_interpreter_of_its_own(self):
        said = options(
            "[pyrunner]", 'python = "a"', "[tasks.1.pyrunner]", 'python = "b"', "[tasks.1]", "pool_slots = 2"
        )
        assert (said.python, said.row_python, said.tasks) == ("a", {1: "b"}, {1: {"pool_slots": 2}})

    def test_what_such_a_table_does_not_have_is_told(self):
        found = error("[tasks.1.pyrunner]", "pyton = 'x'")
        assert (found.code, found.message) == ("unknown-option", "[tasks.1.pyrunner] has no option 'pyton'")
        assert found.hint == "Did you mean python? There are: python."

    def test_all_tasks_have_no_such_table(self):
        found = error("[default_args.pyrunner]", "python = 'x'")
        assert found.message == "[default_args] has no option 'pyrunner'"
        assert found.hint == "Tables stand side by side: write [pyrunner]."

    def test_what_is_not_said_is_not_there(self):
        assert parse_lst(LIST).options == options() == Options()


# What is mistyped, and the hint: it must say what to write.
_DATE = "A date is written without quotes, such as 2024-01-31 or 2024-01-31T06:00:00+01:00."
_DURATION = "A duration is a number of seconds above 0, or a text such as PT1H30M or 01:30:00."
_PARAMS = (
    "A run's parameters are texts, numbers, truth values, arrays and tables; "
    "a date is written as a text, in quotes."
)
_TAKEN = (
    "Every run has the parameters exec_only, norun, from, to and cvar, which are PyRunner's options: "
    "give this one another name."
)
_ADDRESS = (
    " is no mail address: write one like ops@example.com or Operations <ops@example.com>, "
    "several as [..., ...]."
)
_TABLE = "It should be a table: its name in single brackets, then a line for each option."
_PRESETS = "@continuous, @daily, @hourly, @monthly, @once, @quarterly, @weekly, @yearly"
VALUE_HINTS = [
    (['start_date = "2024-01-31"'], _DATE),
    (["dagrun_timeout = '1h'"], _DURATION),
    (["tags = 'etl'"], 'It should be an array, such as ["etl", "daily"].'),
    (["description = 1"], "It should be a text, in quotes."),
    (["catchup = 'yes'"], "It should be true or false."),
    (["max_active_runs = '3'"], "It should be a whole number."),
    (["max_active_runs = 0"], "It should be 1 or higher."),
    (["max_active_runs = 9999999999"], "It should be 2147483647 or lower."),
    (["params.day = 2024-01-31"], _PARAMS),
    *(([f"params.{name} = 1"], _TAKEN) for name in ("exec_only", "norun", "from", "to", "cvar")),
    (["[default_args]", "pool = ''"], "It must not be empty."),
    (
        ["[default_args]", "retry_exponential_backoff = 'yes'"],
        "It should be true, false, or the number that the wait is multiplied by each time.",
    ),
    (["default_args = 1"], _TABLE),
    (["[[pyrunner]]"], _TABLE),
    (["[pyrunner]", "env = 'A=1'"], _TABLE),
    (["[pyrunner]", "env.PORT = 3306"], "It should be a text, in quotes."),
    (
        ["[pyrunner]", "env.APP-PORT = '3306'"],
        "A name consists of letters, digits and _, and does not begin with a digit.",
    ),
    (
        ["[pyrunner]", "timezone = 'Europe/Berln'"],
        "Did you mean Europe/Berlin? A time zone is called like Europe/Berlin.",
    ),
    (["[pyrunner]", "timezone = '+01:00'"], "A time zone is called like Europe/Berlin."),
    (["[pyrunner]", "notify_email.on_fail = false"], "It must not be left out."),
    (
        ["[tasks.1]", "outlets = ['orders']"],
        "'orders' is no asset's URI: write one like s3://lake/orders, in ASCII, and without blanks, "
        "brackets, #, a password or a slash at its end.",
    ),
    (
        ["[pyrunner]", "notify = [{ notifier = 'Slack' }]"],
        "'Slack' is no import path: write one like "
        "airflow.providers.slack.notifications.slack_webhook.SlackWebhookNotifier.",
    ),
    (["[pyrunner]", "notify = [{ notifier = 'a.B', on = 'fail' }]"], "It should be 'failed' or 'succeeded'."),
    (["[pyrunner]", "notify = [{ on = 'failed' }]"], "It must not be left out."),
    (["access_control = ['Ops']"], _TABLE),
    (["[access_control]", "Ops = ['read']"], "It should be 'can_read', 'can_edit' or 'can_delete'."),
    (["[pyrunner]", "notify_email = 'ops'"], f"'ops'{_ADDRESS}"),
    (["[pyrunner]", "notify_email = 'a@b, c@d'"], f"'a@b, c@d'{_ADDRESS}"),
    (["[pyrunner.notify_email]", "to = ['a@b', 'c@d; e@f']"], f"'c@d; e@f'{_ADDRESS}"),
    (["[tasks.load]", "pool = 'a'"], "[tasks.<ID>] is named after the ID of a row, not 'load'."),
    (
        ["schedule = '@dayly'"],
        f"Did you mean @daily? A schedule is a cron expression or one of {_PRESETS} "
        "(Exactly 5, 6 or 7 columns has to be specified for iterator expression).",
    ),
    (
        ["schedule = '0 6 31 2 *'"],
        f"A schedule is a cron expression or one of {_PRESETS} (failed to find next date).",
    ),
]
TOML_HINTS = [
    (["catchup = True"], 'Write texts in quotes, "like this", and truth values as true or false.'),
    (["schedule = @daily"], 'Write texts in quotes, "like this", and truth values as true or false.'),
    (
        ["schedule: '@daily'"],
        'Options are written like schedule = "0 6 * * *"; tables begin with [pyrunner] or [tasks.4].',
    ),
    (
        ["catchup = true", "catchup = false"],
        "Remove one of the two, and write all options of a table below one heading.",
    ),
    (
        ["[pyrunner]", "[tasks.4]", "[pyrunner]"],
        "Remove one of the two, and write all options of a table below one heading.",
    ),
    (["max_active_runs = " + "9" * 5000], "Write a shorter one."),
    (["params.a = " + "[" * 5000], "No option needs that: write fewer brackets."),
    (["params.a = " + "[" * 60 + "]" * 60], "No option needs that: write fewer brackets."),
    (["params" + ".a" * 5000 + " = 1"], "No option needs that: write fewer brackets."),
]
NAME_HINTS = [
    (["schedule = { asets = [], assets = ['x://y'] }"], "Did you mean assets? There are: assets, any."),
    (["[access_control.Ops]", "DAG = ['can_read']"], "Did you mean DAGs? There are: DAGs, DAG Runs."),
    (["shedule = '@daily'"], "Did you mean schedule? There are: description, schedule, "),
    (["schedule_interval = '@daily'"], "Did you mean schedule? "),
    (
        ["dag_id = 'other'"],
        "The DAG ID is the name of the file; PyRunnerDag(dag_id=...), in Python, gives another.",
    ),
    (["timezone = 'UTC'"], "timezone belongs below [pyrunner]."),
    (["env.A = '1'"], "env belongs below [pyrunner]."),
    (["pool = 'mysql'"], "pool belongs below [default_args], or below [tasks.<ID>] for one row."),
    (["[default_args]", "retries = 3"], "MAX_ATTEMPTS of each row says how often it is tried."),
    (["[tasks.4]", "retry_delay = 60"], "RETRY_WAIT_TIME of each row says how long to wait."),
    (["[default_args]", "email = 'a'"], "notify_email, below [pyrunner], says who gets a mail."),
    (["[default_args]", "templates = false"], "templates belongs below [pyrunner]."),
    (
        ["[default_args]", "exec_timeout = 1"],
        "Did you mean execution_timeout or executor? There are: owner, pool, ",
    ),
    (["[pyrunner]", "pool = 'a'"], "pool belongs below [default_args], or below [tasks.<ID>] for one row."),
    (["[pyrunner.tasks.4]"], "Tables stand side by side: write [tasks]."),
    (["[pyruner]"], "Did you mean pyrunner? "),
    (["[task.4]"], "Did you mean tasks or "),
    (
        ["[pyrunner.notify_email]", "to = 'a@b'", "on_failure = true"],
        "Did you mean on_fail? There are: to, on_success, on_fail.",
    ),
    (["['my.lst']"], 'In a list itself all options are its own: leave ["my.lst"] out.'),
    (["[my.lst]"], 'The table of one list is called ["my.lst"], with the quotes.'),
]


class TestNotify:
    NOTIFY = "notify = [{ notifier = 'no_such_module.Post', on = 'failed', url = 'http://x', n = 1 }]"

    def test_is_read_without_an_import(self):
        (found,) = options("[pyrunner]", self.NOTIFY).notify
        assert found[:3] == ("no_such_module.Post", "failed", {"url": "http://x", "n": 1})

    @pytest.mark.parametrize(
        ("lines", "place"),
        [
            (["pyrunner." + NOTIFY], (1, 10, 15)),
            (["[[pyrunner.notify]]", "notifier = 'no_such_module.Post'"], (1, 10, 19)),
        ],
    )
    def test_knows_its_place_for_who_imports_it(self, lines, place):
        (found,) = options(*lines).notify
        assert (found.refused.line, found.refused.column, found.refused.length) == place
        assert found.refused.message == "pyrunner.notify.0 cannot have this value"

    def test_the_nearest_place_holds(self, read):
        near, far = (f"[pyrunner]\nnotify = [{{ notifier = '{name}.A' }}]" for name in ("near", "far"))
        (found,) = read(far, *near.splitlines()).notify
        assert (found.notifier, found.refused.source[-6:]) == ("near.A", "my.lst")


class TestHints:
    @pytest.mark.parametrize(("lines", "shown"), VALUE_HINTS)
    def test_say_what_the_value_should_be(self, lines, shown):
        found = error(*lines)
        assert (found.code, found.hint) == ("invalid-option", shown)

    def test_what_is_no_address_is_told_with_its_place(self):
        found = error("[pyrunner]", 'notify_email = ["a@example.com", "b"]')
        assert (found.line, found.column, found.length) == (2, 10, len("notify_email"))
        assert found.message == "pyrunner.notify_email.to.1 cannot have this value"

    @pytest.mark.parametrize(("lines", "shown"), TOML_HINTS)
    def test_say_how_toml_is_written(self, lines, shown):
        found = error(*lines)
        assert (found.code, found.hint) == ("invalid-toml", shown)

    @pytest.mark.parametrize(("lines", "shown"), NAME_HINTS)
    def test_say_what_the_option_is_called_and_where_it_belongs(self, lines, shown):
        found = error(*lines)
        assert (found.code, found.hint[: len(shown)]) == ("unknown-option", shown)

    def test_a_value_that_is_left_out_is_missing(self):
        assert (
            error("[pyrunner]", "notify_email.on_fail = false").message
            == "pyrunner.notify_email.to is missing"
        )

    def test_a_message_is_short_and_printable_whatever_the_key(self):
        found = error('"\\u001b' + "x" * 5000 + '" = 1')
        assert len(found.message) < 120
        assert found.message.isprintable()


class TestADagOptionBelowATable:
    """TOML takes it for one of the table."""

    def test_is_to_be_moved_above_the_first_table(self):
        assert (
            hint("tags = []", "[pyrunner]", "cwd = 'x'", "[tasks.4]", "pool = 'a'", "catchup = true")
            == "catchup is an option of the DAG: move it above line 2, the first table."
        )

    def test_is_to_be_written_alone_where_a_dotted_key_put_it_there(self):
        assert (
            hint("tasks.4.catchup = true")
            == "catchup is an option of the DAG: write it on a line of its own, with nothing before it."
        )

    def test_is_to_be_moved_to_the_head_of_its_lists_table(self, refuse):
        toml = '[pyrunner]\ncwd = "x"\n["my.lst"]\ntags = []\n["my.lst".tasks.4]\ncatchup = true'
        (found,) = refuse(toml)
        assert found.hint == 'catchup is an option of the DAG: move it directly below line 3, ["my.lst"].'

    def test_or_to_be_given_that_head(self, refuse):
        (found,) = refuse('["my.lst".tasks.4]\ncatchup = true')
        assert found.hint == 'catchup is an option of the DAG: write it below a line ["my.lst"].'

    def test_other_options_find_their_place_in_a_lists_table_too(self, refuse):
        found = refuse('["my.lst"]\ncwd = "x"\npool = "a"')
        assert [problem.hint for problem in found] == [
            'cwd belongs below ["my.lst".pyrunner].',
            'pool belongs below ["my.lst".default_args], or below ["my.lst".tasks.<ID>] for one row.',
        ]


class TestFrontMatter:
    def test_is_all_airflow_lines_joined_wherever_they_stand(self):
        text = f"# x\n#AIRFLOW tags = [\n{row()}\n  #AIRFLOW 'etl',\n\n\t#AIRFLOW\n#AIRFLOW\t]\n"
        assert parse_lst(text).options.dag == {"tags": ["etl"]}

    def test_may_have_values_of_several_lines(self):
        lines = ['description = """', "Loads the", '[orders]."""', "tags = [", "  'a', # one", "  'b',", "]"]
        assert options(*lines).dag == {"description": "Loads the\n[orders].", "tags": ["a", "b"]}

    def test_may_have_comments_and_empty_lines(self):
        assert options("# every day", "", "catchup = true # all of them").dag == {"catchup": True}

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_ends_its_lines_as_the_list_does(self, end):
        text = front_matter("description = '''a", "b'''", "catchup = true") + LIST
        assert parse_lst(text.replace("\n", end)).options.dag == {"description": "a\nb", "catchup": True}

    def test_begins_one_blank_behind_the_mark(self):
        assert options("description = '''a", "  b", "c'''").dag == {"description": "a\n  b\nc"}

    def test_may_be_indented(self):
        assert parse_lst(f"\ufeff \t#AIRFLOW   catchup = true\n{LIST}").options.dag == {"catchup": True}

    @pytest.mark.parametrize(
        "line",
        [
            "#airflow catchup = true",
            "# AIRFLOW catchup = true",
            "#AIRFLOW: catchup = true",
            "#AIRFLOWcatchup = true",
            "##AIRFLOW [pyrunner]",
            "#Airflow[tasks.4]",
            '# airflow "catchup"=true',
        ],
    )
    def test_nearly_written_is_a_warning(self, line):
        task_list = parse_lst(f"{line}\n{LIST}")
        assert [found.code for found in task_list.warnings] == ["not-front-matter"]
        assert task_list.options == Options()

    @pytest.mark.parametrize(
        "line",
        [
            "# airflow",
            "# Airflow runs this daily",
            "#AIRFLOW_HOME=/opt/airflow",
            "# see airflow docs: a = b",
            "# 1|-1|1|0|Airflow x = 1",
            "#AIRFLOWS",
            "# Airflow [as we call it] is good",
        ],
    )
    def test_a_comment_about_airflow_is_none(self, line):
        assert parse_lst(f"{line}\n{LIST}").warnings == ()

    def test_is_a_comment_to_pyrunner(self, tmp_path):
        path = tmp_path / "my.lst"
        path.write_text(front_matter('description = """', "a|b", '"""', "[tasks.4]", "pool = 'a'") + LIST)
        assert {node.id for node in ListSerDe().deserialize(str(path)).pending_nodes} == {1, 2, 3, 4}
        assert len(read_lst(path).rows) == 4

    def test_stands_beside_errors_in_rows(self):
        with pytest.raises(LstError) as caught:
            parse_lst(front_matter("catchup = 1", "[tasks.9]") + row(attempts="x"))
        codes = [found.code for found in caught.value.diagnostics]
        assert codes == ["invalid-option", "unknown-task", "invalid-integer"]

    def test_all_its_problems_are_reported_at_once(self):
        found = errors(
            "cathup = true", "tags = [1, 2]", "[default_args]", "pool = 1", "[tasks.9]", "queue = 1"
        )
        assert [(problem.line, problem.code) for problem in found] == [
            (1, "unknown-option"),
            (2, "invalid-option"),
            (2, "invalid-option"),
            (4, "invalid-option"),
            (5, "unknown-task"),
            (6, "invalid-option"),
        ]


class TestTemplates:
    LIST = row(arguments="job_{#1}", logfile="{{ x")

    def test_are_checked_unless_they_are_off(self):
        with pytest.raises(LstError) as caught:
            parse_lst(self.LIST)
        assert [found.code for found in caught.value.diagnostics] == ["invalid-template"] * 2

    def test_switched_off_any_text_passes(self):
        task_list = parse_lst(front_matter("[pyrunner]", "templates = false") + self.LIST)
        assert task_list.rows[0].arguments == ("job_{#1}",)
        assert task_list.options == Options(templates=False)

    def test_they_are_off_beside_another_option_that_is_wrong(self):
        with pytest.raises(LstError) as caught:
            parse_lst(front_matter("pyrunner.templates = false", "catchup = 1") + self.LIST)
        assert [found.code for found in caught.value.diagnostics] == ["invalid-option"]

    def test_a_folder_may_switch_them_off(self, write):
        write("pyrunner.toml", "[pyrunner]\ntemplates = false")
        assert read_lst(write("my.lst", self.LIST)).options.templates is False


class TestTasks:
    def test_of_which_the_list_has_no_row(self):
        found = error("[tasks.44]", "pool = 'a'")
        assert found.message == "[tasks.44]: the list has no row with that ID"
        assert found.hint == "Did you mean 4? IDs in this list: 1 to 4."

    @pytest.mark.parametrize("name", ["start", '"4 "', "-1", "x4", '""', '"٤"', "9" * 19, "9" * 5000])
    def test_that_are_not_named_after_an_id(self, name):
        assert error(f"[tasks.{name}]", "pool = 'a'").code == "invalid-option"

    def test_in_a_folders_file_may_be_another_lists(self, read):
        assert read('[tasks.99]\npool = "a"\n[tasks.4]\npool = "b"').tasks[4] == {"pool": "b"}

    def test_in_the_lists_own_table_may_not(self, refuse):
        (found,) = refuse('["my.lst".tasks.99]\npool = "a"')
        assert (found.code, found.line) == ("unknown-task", 1)

    def test_are_reported_where_they_stand_alone(self, refuse):
        """Another document that holds for the list has nothing to do with it."""
        (found,) = refuse('["my.lst".tasks.1]\npool = "a"', "[tasks.99]", "pool = 'a'")
        assert (Path(found.source).name, found.line) == ("my.lst", 1)


class TestPlaces:
    """A problem is shown where its key stands."""

    @pytest.mark.parametrize(
        ("lines", "line", "column", "length"),
        [
            (["catchup = 1"], 1, 10, 7),
            (["", "  catchup=1"], 2, 12, 7),
            (["'catchup' = 1"], 1, 10, 9),
            (["[pyrunner]", "cwd = 1"], 2, 10, 3),
            (["[ pyrunner ] # ours", "cwd = 1"], 2, 10, 3),
            (["pyrunner.cwd = 1"], 1, 10, 12),
            (["pyrunner . env . A = 1"], 1, 10, 18),
            (["pyrunner = { cwd = 1 }"], 1, 10, 8),
            (["[pyrunner.env]", "B = ''", "A = 1"], 3, 10, 1),
            (["[tasks.1]", "pool = 'a'", "[tasks.2]", "pool = 1"], 4, 10, 4),
            (["[tasks.99] # here", "pool = 'a'"], 1, 10, 10),
            (["[[tasks]]", "pool = 'a'"], 1, 10, 9),
            (["[a.b.c]"], 1, 10, 7),
            (["tags = [", "  'a',", "  1,", "]"], 1, 10, 4),
            (["params.a = [", "  ['b'],", "  [1]", "]", "catchup = 1"], 5, 10, 7),
            (['description = """', "catchup = true", '[tasks.4]"""', "catchup = 1"], 4, 10, 7),
            (["catchup = 1", "description = '''", "catchup = true'''"], 1, 10, 7),
            (['description = "[ # \\" "', "catchup = 1"], 2, 10, 7),
            (['# [ \' """', "catchup = 1"], 2, 10, 7),
        ],
    )
    def test_in_front_matter(self, lines, line, column, length):
        found = error(*lines)
        assert (found.line, found.column, found.length) == (line, column, length)

    @pytest.mark.parametrize(
        ("lines", "line", "column"),
        [
            (["catchup = True"], 1, 20),
            (["tags = ['a'", "catchup = true"], 2, 10),
            (["catchup ="], 1, 19),
            (["a = 1", "a = 2"], 2, 10),
            (["[tasks.4]", "  [tasks.4]"], 2, 12),
            (["description = '''", "x"], 2, 11),
            (["tags = [", "'a',", ""], 3, 10),
        ],
    )
    def test_of_what_is_no_toml(self, lines, line, column):
        found = error(*lines)
        assert (found.code, found.line, found.column) == ("invalid-toml", line, column)

    def test_counts_all_lines_of_the_list(self):
        with pytest.raises(LstError) as caught:
            parse_lst(f"#PYTHON\r\n{row()}\r\n \t#AIRFLOW  catchup = 1\r\n")
        (found,) = caught.value.diagnostics
        assert (found.line, found.column, found.text) == (3, 13, " \t#AIRFLOW  catchup = 1")

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_in_a_file(self, refuse, tmp_path, end):
        toml = end.join(["# options", 'tags = [ "a",', '"b" ]', "", '["my.lst".pyrunner]', "  cwd = 1"])
        (found,) = refuse(toml)
        assert (found.source, found.line, found.column) == (str(tmp_path / "pyrunner.toml"), 6, 3)
        assert found.text == "  cwd = 1"

    def test_at_a_name_that_it_cannot_have(self, refuse):
        (found,) = refuse("params = { day = 1, from = 2 }")
        assert (found.line, found.column, found.length) == (1, 1, 6)
        assert found.message == "params.from cannot have this name"
        (found,) = refuse("[params]\nday = 1\nfrom = 2")
        assert (found.line, found.column, found.length) == (3, 1, 4)

    def test_in_a_file_that_is_no_toml(self, refuse):
        (found,) = refuse('tags = ["a"]\r\ncatchup = yes\r\n')
        assert (found.code, found.line, found.column) == ("invalid-toml", 2, 11)

    def test_the_lists_own_problems_come_first(self, refuse):
        found = refuse("catchup = 1\ntags = 1", "catchup = 1")
        assert [(Path(problem.source).name, problem.line) for problem in found] == [
            ("my.lst", 1),
            ("pyrunner.toml", 1),
            ("pyrunner.toml", 2),
        ]


class TestFile:
    def test_holds_for_all_lists_of_its_folder(self, write):
        write("pyrunner.toml", "catchup = true")
        for name in ("a.lst", "b.lst"):
            assert read_lst(write(name, LIST)).options.dag == {"catchup": True}

    def test_a_table_named_after_a_list_holds_for_it_alone(self, write):
        write("pyrunner.toml", 'tags = []\n["a.lst"]\ncatchup = true\n["a.lst".tasks.4]\npool = "x"')
        assert read_lst(write("a.lst", LIST)).options == Options(
            dag={"tags": [], "catchup": True}, tasks={4: {"pool": "x"}}
        )
        assert read_lst(write("b.lst", LIST)).options == Options(dag={"tags": []})

    def test_a_table_may_be_named_after_the_path_of_its_list(self, write):
        write("pyrunner.toml", '["b/b.lst"]\ncatchup = true\n["b/b.lst".tasks.4]\npool = "x"')
        options = read_lst(write("b/b.lst", LIST), write("b.lst", LIST).parent).options
        assert options == Options(dag={"catchup": True}, tasks={4: {"pool": "x"}})
        assert read_lst(write("b.lst", LIST)).options == Options()

    def test_the_nearest_table_of_a_list_wins(self, write):
        write("pyrunner.toml", '["b/b.lst"]\ncatchup = true\nmax_active_runs = 3')
        write("b/pyrunner.toml", '["b.lst"]\ncatchup = false')
        options = read_lst(write("b/b.lst", LIST), write("b.lst", LIST).parent).options
        assert options.dag == {"catchup": False, "max_active_runs": 3}

    def test_two_tables_of_one_list_are_an_error(self, write):
        write("pyrunner.toml", '["b/b.lst"]\ncatchup = true\n["b.lst"]\ncatchup = true')
        with pytest.raises(LstError) as caught:
            read_lst(write("b/b.lst", LIST), write("b.lst", LIST).parent)
        (found,) = caught.value.diagnostics
        assert (found.code, found.line) == ("invalid-option", 3)
        assert found.message == "[\"b.lst\"] is a second table of the list 'b/b.lst'"

    def test_the_tables_of_other_lists_are_not_looked_at(self, read):
        assert read('["other.lst"]\nno_such = 1') == Options()

    def test_a_lists_table_must_be_one(self, refuse):
        (found,) = refuse('"my.lst" = 3')
        assert (found.code, found.message) == ("invalid-option", "my.lst cannot have this value")

    def test_text_alone_has_none(self):
        assert parse_lst(LIST, "my.lst").options == Options()

    @pytest.mark.parametrize("toml", ["", "\n", "# nothing\r\n", "\ufeff"])
    def test_may_be_empty(self, read, toml):
        assert read(toml) == Options()

    def test_may_begin_with_a_byte_order_mark(self, read):
        assert read("\ufeffcatchup = true\r\n").dag == {"catchup": True}

    def test_may_hold_any_text(self, read):
        assert read('description = "a\u2028b\u0085c"').dag == {"description": "a\u2028b\u0085c"}

    def test_may_be_a_folder_which_is_no_file(self, write):
        write("pyrunner.toml/x", "")
        assert read_lst(write("my.lst", LIST)).options == Options()

    def test_that_is_not_utf8_is_an_error(self, refuse, tmp_path):
        (found,) = refuse(b'description = "Gr\xf6\xdfe"\n')
        assert (found.code, found.source) == ("not-utf8", str(tmp_path / "pyrunner.toml"))
        assert (found.line, found.column) == (1, 18)

    def test_that_cannot_be_read_is_an_error(self, write):
        path = write("my.lst", LIST)
        unreadable = path.with_name("pyrunner.toml")
        unreadable.symlink_to(unreadable)
        with pytest.raises(LstError) as caught:
            read_lst(path)
        assert str(caught.value).startswith(
            f"{unreadable}: error[unreadable-file]: the file can't be read: Too many levels of symbolic links"
        )

    def test_that_is_broken_hides_no_problem_of_the_list(self, refuse):
        assert [found.code for found in refuse("catchup = yes", "catchup = 1")] == [
            "invalid-option",
            "invalid-toml",
        ]


class TestNearestWins:
    @pytest.fixture
    def layers(self, write, tmp_path):
        """Read app/sub/my.lst; each layer, from the nearest to the farthest, says what it is given."""

        def layers(own="", own_table="", nearest="", above="", topmost="", folder=None):
            table = f'["my.lst"]\n{own_table}\n' if own_table else ""
            write("app/sub/pyrunner.toml", f"{nearest}\n{table}")
            write("app/pyrunner.toml", above)
            write("pyrunner.toml", topmost)
            path = write("app/sub/my.lst", front_matter(*own.splitlines()) + LIST)
            return read_lst(path, tmp_path if folder is None else folder).options

        return layers

    LAYERS = ("own", "own_table", "nearest", "above", "topmost")

    @pytest.mark.parametrize("first", range(5))
    def test_of_all_that_say_something(self, layers, first):
        said = {name: f"max_active_runs = {n}" for n, name in enumerate(self.LAYERS, 1) if n > first}
        assert layers(**said).dag == {"max_active_runs": first + 1}

    def test_options_of_different_layers_come_together(self, layers):
        assert layers(
            own="catchup = true",
            own_table="tags = ['a']",
            nearest="description = 'b'",
            above="max_active_runs = 4",
        ).dag == {"catchup": True, "tags": ["a"], "description": "b", "max_active_runs": 4}

    def test_tables_are_put_together_key_by_key(self, layers):
        found = layers(
            own="pyrunner.env.A = 'own'\ntasks.4.pool = 'own'\nparams.p.x = 1",
            nearest="pyrunner.env = { A = 'near', B = 'near' }\ndefault_args.queue = 'near'\nparams.p.y = 2",
            above="pyrunner.env.C = 'far'\npyrunner.cwd = 'far'\ntasks.4 = { pool = 'far', queue = 'far' }",
            topmost="default_args = { queue = 'far', owner = 'far' }\ntasks.3.pool = 'far'",
        )
        assert found == Options(
            dag={"params": {"p": {"x": 1, "y": 2}}},
            default_args={"queue": "near", "owner": "far"},
            tasks={3: {"pool": "far"}, 4: {"pool": "own", "queue": "far"}},
            env={"A": "own", "B": "near", "C": "far"},
            cwd="far",
        )

    def test_arrays_are_replaced(self, layers):
        assert layers(own="tags = ['own']", above="tags = ['far', 'farther']").dag == {"tags": ["own"]}

    def test_an_empty_array_takes_all_away(self, layers):
        assert layers(own="tags = []", above="tags = ['far']").dag == {"tags": []}

    def test_a_nearer_notify_email_keeps_what_it_does_not_say(self, layers):
        found = layers(
            own="pyrunner.notify_email = 'own@example.com'",
            above="pyrunner.notify_email = { to = 'far@example.com', on_success = false }",
        )
        assert found.notify_email == NotifyEmail(["own@example.com"], on_success=False)

    def test_a_lists_table_in_a_file_further_up_is_farther_than_the_nearest_file(self, layers):
        assert layers(nearest="catchup = true", above='["my.lst"]\ncatchup = false\ntags = ["a"]').dag == {
            "catchup": True,
            "tags": ["a"],
        }

    def test_what_is_valid_in_no_layer_is_reported_in_each(self, layers):
        with pytest.raises(LstError) as caught:
            layers(own="a = 1", own_table="b = 1", nearest="c = 1", above="d = 1", topmost="e = 1")
        assert sorted(found.message[-2] for found in caught.value.diagnostics) == ["a", "b", "c", "d", "e"]

    def test_only_files_within_the_options_folder_count(self, layers, tmp_path):
        said = {"nearest": "tags = ['a']", "above": "catchup = true", "topmost": "description = 'b'"}
        assert layers(**said, folder=tmp_path / "app").dag == {"tags": ["a"], "catchup": True}

    def test_without_one_only_the_lists_own_folder_counts(self, layers, tmp_path):
        layers(nearest="tags = ['a']", above="catchup = true")
        assert read_lst(tmp_path / "app/sub/my.lst").options.dag == {"tags": ["a"]}

    def test_nor_does_any_other_count_if_the_list_lies_outside(self, layers, tmp_path):
        assert layers(nearest="tags = ['a']", above="catchup = true", folder=tmp_path / "other").dag == {
            "tags": ["a"]
        }

    def test_relative_paths_are_taken_from_the_working_directory(self, layers, tmp_path, monkeypatch):
        layers(nearest="tags = ['a']", above="catchup = true")
        monkeypatch.chdir(tmp_path / "app/sub")
        assert read_lst("my.lst", "..").options.dag == {"tags": ["a"], "catchup": True}


@pytest.mark.parametrize("in_list", [True, False])
def test_a_document_may_have_200_000_characters(write, in_list):
    def read(length):
        text = f"description = 'a' # {'x' * (length - 20)}"
        path = write("my.lst", (front_matter(text) if in_list else "") + LIST)
        write("pyrunner.toml", "" if in_list else text)
        return read_lst(path)

    assert read(200_000).options.dag == {"description": "a"}
    with pytest.raises(LstError, match=r"error\[invalid-toml\]: the options are too long"):
        read(200_001)


class TestImports:
    """pydantic and croniter take longer to import than most lists take to parse."""

    @pytest.fixture
    def loaded(self, write):
        def loaded(path):
            program = (
                "import sys; from pyrunner_airflow.tasklist import read_lst\n"
                "read_lst(sys.argv[1])\n"
                "print(*sorted({'airflow', 'croniter', 'pydantic', 'zoneinfo'} & set(sys.modules)))"
            )
            command = [sys.executable, "-c", program, str(path)]
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()

        return loaded

    def test_a_list_without_options_needs_neither(self, loaded, write):
        assert loaded(write("my.lst", LIST)) == []

    def test_nor_does_one_beside_the_options_of_others(self, loaded, write):
        write("pyrunner.toml", '["other.lst"]\ncatchup = true')
        assert loaded(write("my.lst", LIST)) == []

    def test_options_need_them_but_not_airflow(self, loaded, write):
        assert loaded(write("my.lst", front_matter("catchup = true") + LIST)) == [
            "croniter",
            "pydantic",
            "zoneinfo",
        ]
