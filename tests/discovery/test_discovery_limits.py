"""
Options at their limits, which Airflow stores and serializes; what is beyond them is an error.

What Airflow could not store would end its DAG processor or its scheduler, and with them all lists.
"""

import json
import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.models import Base, DagModel, TaskInstance, import_all_models
from airflow.models.dagbundle import DagBundleModel
from airflow.models.tasklog import LogTemplate
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from pyrunner_airflow.dag.factory import dag_id

LOADERS = Path(__file__).parents[2] / "dags"
IDS = range(1, 9)
ROWS = "".join(f"{id_}|{id_ - 1 or -1}|1|0|N|workers|Work\n" for id_ in IDS)
MAX = 2**31 - 1
WEIGHT = MAX // len(IDS)
SCHEDULED = 'schedule = "@daily"\ncatchup = true'  # so that the first run is at the start date


def text(length, character="ß"):
    return f'"{character * length}"'


def tags(count):
    return [str(number) for number in range(count)]


def params(length):
    return f"{{ a = {text(length - len(json.dumps({'a': ''})), 'x')} }}"


def months(count):
    return '"0 0 1 ' + ",".join(["1-2"] * count) + ' 1"'


def owners(last):
    """Eight owners, of which the last has so many letters and the others the most that they may have."""
    return "\n".join(
        f"[tasks.{id_}]\nowner = {text(last if id_ == IDS[-1] else 208, chr(0x3B0 + id_))}" for id_ in IDS
    )


def limit(option, at, beyond, table=None):
    heading = f"[{table}]\n" if table else ""
    return f"{heading}{option} = {at}", f"{heading}{option} = {beyond}"


def of_tasks(option, at, beyond):
    return limit(option, at, beyond, "default_args")


def of_pyrunner(option, at, beyond):
    return limit(option, at, beyond, "pyrunner")


# Options at a limit, and just beyond it.
LIMITS = {
    "description": limit("description", text(10_000), text(10_001)),
    "description of several lines": limit("description", r'"a\t\r\nb"', r'"a\u0000b"'),
    "first start": limit(f"{SCHEDULED}\nstart_date", "1971-01-01", "1970-12-31"),
    "last start": limit(f"{SCHEDULED}\nstart_date", "2037-12-31T23:59:59-12:00", "2038-01-01"),
    "end": limit(f"{SCHEDULED}\nend_date", "2999-12-31T23:59:59-12:00", "3000-01-01"),
    "schedule": limit("schedule", months(16), months(17)),
    "runs": limit("max_active_runs", MAX, MAX + 1),
    "tasks": limit("max_active_tasks", MAX, MAX + 1),
    "timeout": limit("dagrun_timeout", '"P10000D"', '"P10001D"'),
    "tag": limit("tags", f"[{text(100)}]", f"[{text(101)}]"),
    "tags": limit("tags", tags(100), tags(101)),
    "tag of one line": limit("tags", '["a b"]', r'["a\nb"]'),
    "parameters": limit("params", params(100_000), params(100_001)),
    "parameter's name": limit("params", f"{{ {text(250)} = 1 }}", f"{{ {text(251)} = 1 }}"),
    "parameter's text": limit("params.a", r'[{ b = "\n" }]', r'[{ b = "\u0000" }]'),
    "parameter's number": limit("params.a", 2**63 - 1, 2**63),
    "owner": of_tasks("owner", text(250), text(251)),
    "owner of one line": of_tasks("owner", '"a b"', r'"a\u001bb"'),
    "owners": (owners(230), owners(231)),
    "pool": of_tasks("pool", text(250), text(251)),
    "queue": of_tasks("queue", text(250), text(251)),
    "user": of_tasks("run_as_user", text(250), text(251)),
    "slots": of_tasks("pool_slots", MAX, MAX + 1),
    "instances": of_tasks("max_active_tis_per_dag", MAX, MAX + 1),
    "backoff": of_tasks("retry_exponential_backoff", MAX, MAX + 1),
    "task's timeout": of_tasks("execution_timeout", '"P10000D"', 1e300),
    "wait": of_tasks("max_retry_delay", '"P10000D"', 1e300),
    "weights": of_tasks("priority_weight", WEIGHT, WEIGHT + 1),
    "weights below 0": of_tasks("priority_weight", -WEIGHT, -WEIGHT - 1),
    "one weight": limit("priority_weight", MAX - 7, MAX - 6, "tasks.2"),
    "python": of_pyrunner("python", text(4000), text(4001)),
    "app's root": of_pyrunner("app_root", text(4000), text(4001)),
    "folder": of_pyrunner("cwd", text(4000), text(4001)),
    "variable": of_pyrunner("env.A", r'"a\n\tb"', r'"\u0000"'),
    "context": of_pyrunner("cvar.A", r'["a\n\tb"]', r'["\u0000"]'),
    "address": of_pyrunner("notify_email", '"a@b"', r'"a@b\n"'),
}


# Names of files and of rows, which may be as long and as odd as they like.
ODD = {"ß" * 125: "N", os.fsdecode(b"\xff \x1b\n"): "N", "long": "ß" * 10_000}


def load(folder, which):
    """Load a folder with some good lists, and one for each limit."""
    for file in LOADERS.glob("*.py"):
        shutil.copy(file, folder)
    for name, process_name in ODD.items():
        (folder / f"{name}.lst").write_text(ROWS.replace("|N|", f"|{process_name}|"))
    for name, options in LIMITS.items():
        lines = "".join(f"#AIRFLOW {line}\n" for line in options[which].splitlines())
        (folder / f"{name}.lst").write_text(lines + ROWS)
    return DagBag(folder, bundle_path=folder, bundle_name="lists")


@pytest.fixture(scope="module")
def taken(tmp_path_factory):
    return load(tmp_path_factory.mktemp("taken"), 0)


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    return load(tmp_path_factory.mktemp("refused"), 1)


@pytest.mark.parametrize("name", LIMITS)
def test_at_the_limit_the_list_is_a_dag_that_can_be_serialized(taken, name):
    assert taken.import_errors == {}
    data = json.dumps(DagSerialization.to_dict(taken.dags[dag_id(name)]))
    assert r"\u0000" not in data
    assert DagSerialization.from_dict(json.loads(data)).task_ids == [f"{id_}_n" for id_ in IDS]


@pytest.mark.parametrize("name", LIMITS)
def test_beyond_it_the_option_is_an_error_of_that_list_alone(refused, name):
    assert refused.dags.keys() == {dag_id(f"{name}.lst") for name in ODD}
    assert list(refused.import_errors) == ["pyrunner_lst_errors.py"]
    line = 1 + LIMITS[name][1].count("\n")
    problem = rf"/{name}\.lst:{line}:10: error\[invalid-option\]: (.*) cannot have this (value|name)\n"
    assert len(re.findall(problem, refused.import_errors["pyrunner_lst_errors.py"])) == 1


@pytest.mark.slow
def test_a_postgresql_stores_them_all_and_their_runs(taken, postgres):
    import_all_models()
    engine = create_engine(postgres.database("limits"))
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([DagBundleModel(name="lists"), LogTemplate(id=0, filename="", elasticsearch_id="")])
        session.flush()
        sync_bag_to_db(taken, "lists", None, session=session)
        for dag in taken.dags.values():
            DagSerialization.from_dict(DagSerialization.to_dict(dag)).create_dagrun(
                run_id="now",
                run_after=datetime.now(UTC),
                run_type=DagRunType.MANUAL,
                triggered_by=DagRunTriggeredByType.TEST,
                state=DagRunState.QUEUED,
                session=session,
            )
        session.commit()
        stored = set(session.scalars(select(DagModel.dag_id).where(~DagModel.has_import_errors)))
        assert stored == set(taken.dags)
        assert len(session.scalars(select(TaskInstance.task_id)).all()) == len(IDS) * len(taken.dags)
