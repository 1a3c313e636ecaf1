"""Which rows a run's parameters choose: the same that python-batch-runner's NodeRegister chooses."""

import contextlib
import copy
import io
import json

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk.exceptions import AirflowFailException, ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization
from pyrunner.serde.list import ListSerDe

from pyrunner_airflow import PyRunnerDag
from pyrunner_airflow.dag.parameters import RunParameterError, check_conf, left_out_by

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
    return {task.row.id for task in dag.tasks if not left_out_by(task, values)}


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
    ("params", "names"),
    [
        ({"norun": [1]}, ["norun"]),
        ({"exec_only": [2], "norun": [3]}, ["exec_only"]),
        ({"from": 2, "to": 4, "norun": [1]}, ["norun", "from"]),
    ],
)
def test_a_row_that_is_left_out_is_told_by_which(dag, params, names):
    assert left_out_by(dag.get_task("1_row_1"), {**dag.params.dump(), **params}) == names


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"exec_only": []}, "exec_only"),
        ({"norun": list(EDGES)}, "norun"),
        ({"exec_only": [2], "to": 1}, "exec_only and to"),
        ({"from": 5, "to": 4, "cvar": {"a": 1}}, "from and to"),
    ],
)
def test_to_leave_no_row_is_an_error_of_every_row(dag, params, names):
    for task in dag.tasks:
        with pytest.raises(RunParameterError, match=f"the run's {names} leave no row to run"):
            left_out_by(task, {**dag.params.dump(), **params})


def test_what_stands_below_a_task_of_another_kind_stands_below_the_row_above_it(path):
    with PyRunnerDag(path) as dag:
        between = EmptyOperator(task_id="between")
        dag.get_task("9_row_9") >> between >> dag.get_task("8_row_8")
    rows = [task for task in dag.tasks if task is not between]
    values = {**dag.params.dump(), "from": 9}
    assert {task.row.id for task in rows if not left_out_by(task, values)} == {8, 9}


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
        ("form", "from"),
        ("-D", "from"),
        ("descendents", "from"),
        ("--to", "to"),
        ("-A", "to"),
        ("ancestors", "to"),
        ("CVAR", "cvar"),
    ],
)
def test_a_name_that_is_meant_to_be_one_of_ours_is_refused(dag, name, meant):
    with pytest.raises(RunParameterError, match=rf"{name!r} \(Did you mean '{meant}'\?\)"):
        check_conf({name: [1]}, dag.params)


def test_all_names_that_a_dag_does_not_have_are_told_at_once_with_those_that_it_has(path):
    dag = PyRunnerDag(path, params={"region": "eu"})
    with pytest.raises(RunParameterError) as caught:
        check_conf({"executor": "x", "from": 3, "regoin": "us"}, dag.params)
    assert str(caught.value) == (
        "the run was started with what is no parameter of this DAG: 'executor', 'regoin' (Did you mean "
        "'region'?). It has: region, exec_only, norun, from, to, cvar. Start another run with the right "
        "names: a run's parameters are fixed."
    )


def test_parameters_of_the_dags_author_are_known(path):
    check_conf({"day": "2026-01-01", "exec_only": [1]}, PyRunnerDag(path, params={"day": None}).params)


def test_no_further_attempt_is_made_of_a_row_of_such_a_run():
    assert issubclass(RunParameterError, AirflowFailException)


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
