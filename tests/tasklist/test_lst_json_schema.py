"""The JSON Schema of `pyrunner.toml` says what `check` says."""

import json
import random
import tomllib
from datetime import date, datetime, time

import pytest
from jsonschema import Draft202012Validator

from pyrunner_airflow.tasklist import LstError, parse_lst
from scripts.schema_file import FILE, json_schema

SHIPPED = FILE.read_text("utf-8")
VALIDATOR = Draft202012Validator(json.loads(SHIPPED))
DOCUMENTS = 500
TEXTS = ['"etl"', '""', '"a b"', f'"{"x" * 251}"', '"a\\nb"', '"a\\u0007b"', '"é"']
NUMBERS = ["1", "0", "7", "-1", "2147483647", "2147483648", "-2147483648", "1.5", "-0.5"]
TIMES = ['"PT1H30M"', '"01:30:00"', '"1 day"', '"90"', '"soon"', '"P0D"', "864000000", "864000001"]
DATES = [
    "2024-01-31",
    "2024-01-31T06:00:00+01:00",
    "2024-01-31 06:00:00",
    "1970-01-01",
    "2038-01-01",
    "07:00:00",
    '"soon"',
]
OTHERS = [
    "true",
    "false",
    "[]",
    '["etl"]',
    '["etl", 1]',
    "[[]]",
    "{}",
    '{ to = "a@b" }',
    "{ x = 1 }",
    '{ to = ["a@b"], on_fail = false }',
]
SCHEDULES = [
    '"0 6 * * *"',
    '{ assets = ["s3://a", "s3://b"], any = true }',
    '"@daily"',
    '"@dayly"',
    '"every day"',
    "{ any = true }",
    '{ assets = ["b"] }',
]
URIS = ['["s3://a/b"]', "[]", '["a"]', '["airflow://a"]', '["s3://u:p@a"]', f'["s3://{"x" * 1000}"]']
ALL = [*TEXTS, *NUMBERS, *TIMES, *OTHERS]
KNOWN_BY_CHECK_ALONE = ("start_date", "end_date", "timezone")
"""Of these the schema sees that they are texts, and `check` also whether they mean something."""
FOR_DAG = {
    **{key: ["true", "false"] for key in ("catchup", "is_paused_upon_creation", "rerun_with_latest_version")},
    **dict.fromkeys(("max_active_runs", "max_active_tasks"), NUMBERS),
    "description": ['"any text"', '"two\\nlines"', f'"{"x" * 10_001}"'],
    "schedule": SCHEDULES,
    **dict.fromkeys(("start_date", "end_date"), DATES),
    "dagrun_timeout": TIMES,
    "tags": ['["etl"]', "[]", '[""]', f'["{"x" * 101}"]', str(["a"] * 101)],
    "params": ["{ day = 1 }", "{ cvar = 1 }", "{ to = 1 }", '{ "" = 1 }', "{ a = [1, { b = true }] }"],
    "access_control": [
        '{ Ops = ["can_read"], Dev = { "DAG Runs" = ["can_create"] } }',
        "{}",
        '{ Ops = ["can_create"] }',
        '{ Ops = { Dags = ["can_read"] } }',
        '{ "" = ["can_read"] }',
    ],
    "shedule": ['"@daily"'],
}
FOR_TASK = {
    **dict.fromkeys(("owner", "pool", "queue", "executor", "run_as_user"), TEXTS),
    **dict.fromkeys(("pool_slots", "priority_weight", "max_active_tis_per_dag"), NUMBERS),
    **dict.fromkeys(("execution_timeout", "max_retry_delay"), TIMES),
    "retry_exponential_backoff": [*NUMBERS, "true"],
    "depends_on_past": ["true"],
    "retries": ["3"],
}
FOR_ROW = {"python": TEXTS, "cwd": TEXTS}
FOR_PYRUNNER = {
    **dict.fromkeys(("python", "app_root", "cwd"), TEXTS),
    "templates": ["false"],
    "notify": [
        '[{ notifier = "a.b.C", on = "failed", text = "x", n = [1] }, { notifier = "a.B" }]',
        "[]",
        '[{ notifier = "a" }]',
        '[{ notifier = "a.b", on = "fail" }]',
        '[{ on = "failed" }]',
        '{ notifier = "a.b" }',
    ],
    "timezone": ['"Europe/Berlin"', '"UTC"'],
    "env": ["{ A = '1' }", "{ a-b = '1' }", "{ A = 1 }", "{ 1A = '' }"],
    "cvar": ["{ A = '1' }", "{ 'a b' = [1] }", "{ '' = 1 }"],
    "notify_email": [
        '"a@b"',
        '["a@b", "c@d"]',
        '{ to = "a@b" }',
        "{ to = [], on_fail = true }",
        "{ on_fail = true }",
        "{ too = 1 }",
    ],
    "schedule": SCHEDULES,
}
TABLES = {
    "": FOR_DAG,
    "default_args": FOR_TASK,
    "tasks.1": {**FOR_TASK, "outlets": URIS},
    "tasks.1.pyrunner": FOR_ROW,
    "pyrunner": FOR_PYRUNNER,
    "tasks.x": FOR_TASK,
}
PLACES = [("",), ('"my.lst"',), ("", '"my.lst"'), ("env.a", 'env.b."my.lst"'), ("", "env.a"), ('env."a b"',)]


def document(choose):
    """Return a document of a few options; the first value of each is a good one."""
    lines = []
    for one in choose.choice(PLACES):
        for name in sorted(set(choose.choices(sorted(TABLES), [4, 4, 4, 4, 4, 1], k=choose.randint(1, 3)))):
            heading = ".".join(filter(None, [one, name]))
            lines += [f"[{heading}]"] if heading else []
            kinds = TABLES[name]
            for key in choose.sample(sorted(kinds), choose.randint(0, 2)):
                others = NUMBERS if key in KNOWN_BY_CHECK_ALONE else ALL
                values = choose.choices([kinds[key][:1], kinds[key], others], [8, 2, 1])[0]
                lines.append(f"{key} = {choose.choice(values)}")
    return "\n".join(lines)


def as_editors_have_it(value):
    """Return a value as taplo hands it to a schema, which knows no dates."""
    if isinstance(value, dict):
        return {key: as_editors_have_it(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_editors_have_it(inner) for inner in value]
    return value.isoformat() if isinstance(value, date | datetime | time) else value


def passes_check(text, folder):
    (folder / "pyrunner.toml").write_text(text)
    try:
        parse_lst("1|-1|1|0|Load|workers|Load", path=folder / "my.lst")
    except LstError:
        return False
    return True


def test_what_is_shipped_is_what_the_options_are():
    assert json_schema() == SHIPPED, "python -m scripts.schema_file"


def test_it_is_a_schema():
    Draft202012Validator.check_schema(json.loads(SHIPPED))


@pytest.mark.parametrize("seed", [20261])
def test_schema_and_check_agree(seed, tmp_path):
    choose = random.Random(seed)
    documents = [document(choose) for _ in range(DOCUMENTS)]
    said = {
        text: (VALIDATOR.is_valid(as_editors_have_it(tomllib.loads(text))), passes_check(text, tmp_path))
        for text in documents
    }
    assert [(text, both) for text, both in said.items() if both[0] != both[1]] == [], f"seed {seed}"
    passed = sum(both[0] for both in said.values())
    assert len(said) / 5 < passed < len(said) * 4 / 5


def test_the_examples_of_the_documentation_are_good(tmp_path):
    import re
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "moving.md").read_text()
    blocks = [
        text
        for language, text in re.findall(r"^```(\w*)\n(.*?)^```$", page, re.M | re.S)
        if language == "toml"
    ]
    assert blocks
    for block in blocks:
        assert list(VALIDATOR.iter_errors(as_editors_have_it(tomllib.loads(block)))) == []
