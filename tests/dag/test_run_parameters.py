"""Which rows a run's parameters choose: the same that python-batch-runner's NodeRegister chooses."""

import contextlib
import copy
import io
import json

import pytest
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization
from pyrunner.serde.list import ListSerDe

from pyrunner_airflow import PyRunnerDag
from pyrunner_airflow.dag.parameters import RunParameterError, check_names, is_selected

EDGES = {1: [], 2: [], 3: [1], 4: [1, 2], 5: [3], 6: [3, 5], 7: [4], 8: [6, 7], 9: []}
ROWS = "\n".join(
    f"{id_}|{','.join(map(str, parents)) or -1}|1|0|Row {id_}|workers|Work||a.log"
    for id_, parents in EDGES.items()
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("lists") / "job.lst"
    path.write_text(ROWS)
    return path


@pytest.fixture(scope="module")
def dag(path):
    return PyRunnerDag(path)


def chosen(dag, **params):
    values = {**dag.params.dump(), **params}
    return {task.row.id for task in dag.tasks if is_selected(task, values)}


def accept(dag, conf):
    """Check what a run is started with, as Airflow does."""
    params = copy.deepcopy(dag.params)
    params.update(conf)
    params.validate()


def chosen_by_pyrunner(path, option, value):
    method = {"exec_only": "exec_only", "norun": "exec_disable", "from": "exec_from", "to": "exec_to"}[option]
    with contextlib.redirect_stdout(io.StringIO()):
        register = ListSerDe().deserialize(str(path))
    getattr(register, method)(value)
    return {node.id for node in register.pending_nodes}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("from", id_) for id_ in EDGES),
        *(("to", id_) for id_ in EDGES),
        *(("exec_only", ids) for ids in ([1], [9], [2, 4], [3, 6, 8], list(EDGES))),
        *(("norun", ids) for ids in ([1], [9], [2, 4], [3, 6, 8])),
    ],
)
def test_one_parameter_chooses_as_pyrunner_does(path, dag, option, value):
    assert chosen(dag, **{option: value}) == chosen_by_pyrunner(path, option, value)


def test_without_parameters_all_rows_run(dag):
    assert chosen(dag) == set(EDGES)


def test_several_parameters_narrow_each_other_down(dag):
    assert chosen(dag, **{"from": 3, "to": 8, "norun": [5]}) == {3, 6, 8}


def test_an_empty_norun_leaves_nothing_out(dag):
    assert chosen(dag, norun=[]) == set(EDGES)


@pytest.mark.parametrize("name", ["exec_only", "norun"])
def test_several_ids_may_be_texts_as_the_trigger_form_sends_them(dag, name):
    conf = {name: ["2", "4"]}
    accept(dag, conf)
    assert chosen(dag, **conf) == chosen(dag, **{name: [2, 4]})


@pytest.mark.parametrize(
    "conf",
    [
        {"exec_only": [77]},
        {"exec_only": ["77"]},
        {"exec_only": 3},
        {"norun": [1, 0]},
        {"from": 10},
        {"to": "3"},
        {"cvar": []},
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(dag, conf):
    with pytest.raises(ParamValidationError, match=next(iter(conf))):
        accept(dag, conf)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("exec_onyl", "exec_only"),
        ("--exec-only", "exec_only"),
        ("-x", "exec_only"),
        ("exec-proc-name", "exec_only"),
        ("no_run", "norun"),
        ("NORUN", "norun"),
        ("-N", "norun"),
        ("FROM", "from"),
        ("from_", "from"),
        ("-D", "from"),
        ("descendents", "from"),
        ("--to", "to"),
        ("-A", "to"),
        ("ancestors", "to"),
        ("CVAR", "cvar"),
    ],
)
def test_a_name_that_is_meant_to_be_one_of_ours_is_refused(dag, name, meant):
    with pytest.raises(RunParameterError, match=f"{name!r}.* Did you mean '{meant}'"):
        check_names({name: [1]}, dag.params)


@pytest.mark.parametrize("name", ["day", "top", "form", "auto", "var", "x", "n", "run", "executor"])
def test_other_names_are_none_of_our_business(dag, name):
    check_names({name: "2026-01-01", "exec_only": [1]}, dag.params)


@pytest.mark.parametrize("name", ["exec_only", "norun", "from", "to", "cvar"])
def test_no_parameter_of_the_dags_author_can_have_the_name_of_one_of_ours(path, name):
    params = {name: 1, "day": 2}
    for arguments in ({"params": params}, {"default_args": {"params": params}}):
        with pytest.raises(RunParameterError, match=f"the parameter {name!r}: .* give this one another name"):
            PyRunnerDag(path, **arguments)


def test_parameters_of_default_args_stand_beside_ours(path):
    dag = PyRunnerDag(path, params={"day": 1}, default_args={"params": {"hour": 2}})
    assert (dag.params["day"], dag.params["hour"], dag.params["from"]) == (1, 2, None)


def test_a_dag_of_1000_rows_grows_by_less_than_200_kB(tmp_path):
    path = tmp_path / "job.lst"
    path.write_text("\n".join(f"{id_}|-1|1|0|Load Table {id_}|workers|Work" for id_ in range(1, 1001)))
    serialized = DagSerialization.to_dict(PyRunnerDag(path))["dag"]
    assert len(json.dumps(serialized["params"])) < 200_000
    assert not any("params" in task["__var"] for task in serialized["tasks"])
