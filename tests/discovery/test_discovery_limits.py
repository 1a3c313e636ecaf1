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
from tests.limits import IDS, LIMITS, ROWS, lists

LOADERS = Path(__file__).parents[2] / "dags"
# Names of files and of rows, which may be as long and as odd as they like.
ODD = {"ß" * 125: "N", os.fsdecode(b"\xff \x1b\n"): "N", "long": "ß" * 10_000}


def load(folder, which):
    """Load a folder with some good lists, and one for each limit."""
    for file in LOADERS.glob("*.py"):
        shutil.copy(file, folder)
    for name, process_name in ODD.items():
        (folder / f"{name}.lst").write_text(ROWS.replace("|N|", f"|{process_name}|"))
    for name, text in lists(which).items():
        (folder / f"{name}.lst").write_text(text)
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
