"""What the two files of ``dags/`` make of a folder of task lists, as Airflow itself loads them."""

import os
import shutil
import tomllib
from pathlib import Path

import pytest
from airflow import settings
from airflow.dag_processing.dagbag import DagBag
from airflow.exceptions import AirflowClusterPolicySkipDag, AirflowClusterPolicyViolation
from airflow.policies import hookimpl

from pyrunner_airflow.discovery import building, loader

LOADERS = Path(__file__).parents[2] / "dags"
JSON = """{"tasks": {
  "A": {"module": "workers", "worker": "Work"},
  "B": {"dependencies": ["A"], "module": "workers", "worker": "Work", "timeout": 7}
}}"""
GOOD = "1|-1|1|0|A|workers|Work\n"
BAD = "1|9|1|0|A|workers|Work\n2|-1|x|0|B|workers|Work\n"


@pytest.fixture
def folder(tmp_path):
    """A dags folder with the two files in it."""
    for file in LOADERS.glob("*.py"):
        shutil.copy(file, tmp_path)
    return tmp_path


@pytest.fixture
def add(folder):
    def write(name, text=GOOD):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


def load(folder, dag_id=None, monkeypatch=None):
    """Load the folder as the DAG processor does, or, given a DAG, as the start of one of its tasks does."""
    if dag_id:
        monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", dag_id)  # how Airflow tells its task process
    return DagBag(folder / "pyrunner_lst.py" if dag_id else folder, bundle_path=folder)


@pytest.fixture
def lists_read(monkeypatch):
    """The names of the lists that are read."""
    names = []
    build = building.PyRunnerDag

    def watched(path, **kwargs):
        names.append(path.name)
        return build(path, **kwargs)

    monkeypatch.setattr(building, "PyRunnerDag", watched)
    return names


def test_each_good_list_is_a_dag_of_the_loaders_file(folder, add):
    add("a.lst"), add("team/config/b.lst")
    bag = load(folder)
    assert (set(bag.dags), bag.import_errors) == ({"a", "b"}, {})
    assert {dag.fileloc for dag in bag.dags.values()} == {str(folder / "pyrunner_lst.py")}


@pytest.mark.parametrize("dag_id", [None, "b"])
def test_of_a_list_in_both_formats_the_dag_and_its_tasks_are_those_of_the_lst(
    folder, add, monkeypatch, dag_id
):
    add("b.json", JSON.replace("Work", "FromJson"))
    add("b.lst")
    assert load(folder, dag_id, monkeypatch).dags["b"].get_task("1_a").row.worker == "Work"


def test_a_list_in_json_is_one_too_and_other_json_is_left_alone(folder, add, monkeypatch):
    add("b.json", JSON)
    add("c.json", JSON.replace("workers", "", 1))
    add("package.json", '{"tasks": {"build": {"dependsOn": ["^build"]}}}')
    dags = load(folder)
    assert list(dags.dags) == ["b"]
    assert dags.dags["b"].task_ids == ["1_a", "2_b"]
    assert dags.dags["b"].get_task("2_b").execution_timeout.seconds == 7
    (shown,) = dags.import_errors.values()
    assert "c.json:2:3: error[missing-value]: module is empty" in shown
    assert "package.json" not in shown
    assert list(load(folder, "b", monkeypatch).dags) == ["b"]


def test_a_folder_without_lists_has_neither_dags_nor_errors(folder):
    bag = load(folder)
    assert (bag.dags, bag.import_errors) == ({}, {})


@pytest.mark.parametrize(("syntax", "left"), [("glob", {"a", "b"}), ("regexp", {"b"})])
def test_ignore_files_have_the_syntax_that_airflow_is_set_to(folder, add, monkeypatch, syntax, left):
    monkeypatch.setenv("AIRFLOW__CORE__DAG_IGNORE_FILE_SYNTAX", syntax)
    add("a.lst"), add("b.lst"), add(".airflowignore", r"^a\.l.+")
    assert set(load(folder).dags) == left


def test_all_bad_lists_are_one_import_error_of_the_other_file(folder, add):
    one, two = add("bad.lst", BAD), add("x/empty.lst", "")
    add("good.lst")
    bag = load(folder)
    assert set(bag.dags) == {"good"}
    assert list(bag.import_errors) == ["pyrunner_lst_errors.py"]
    text = bag.import_errors["pyrunner_lst_errors.py"]
    for problem in (
        f"{one}:1:3: error[unknown-parent]",
        f"{one}:2:6: error[invalid-integer]",
        f"{two}: error[no-rows]",
    ):
        assert problem in text


def test_it_says_what_becomes_of_runs_that_are_under_way(folder, add):
    add("bad.lst", BAD)
    error = load(folder).import_errors["pyrunner_lst_errors.py"]
    assert error.endswith(
        "\n\nA list with an error is no DAG: runs of it that are under way wait until it is mended, "
        "and then go on by themselves."
    )


def test_options_for_lists_that_are_not_there_are_shown_beside_them(folder, add):
    add("b/job.lst"), add("ignored.lst"), add(".airflowignore", "ignored.lst")
    toml = add("b/pyrunner.toml", '["jop.lst"]\n["job.lst"]\n')
    add("pyrunner.toml", '["b/job.lst"]\n["ignored.lst"]\n')
    bag = load(folder)
    assert set(bag.dags) == {"job"}
    error = bag.import_errors["pyrunner_lst_errors.py"]
    assert f"{toml}:1:1: warning[unknown-list]: these options are for no list" in error
    assert "hint: Did you mean 'job.lst'? " in error
    assert error.count("[unknown-list]") == 1


@pytest.mark.parametrize("content", [b"", b"\xff", b"\x00", b"|" * 10_000, b"1|-1|1|0|A|w|W|{% x"])
def test_no_content_keeps_the_good_lists_from_being_loaded(folder, add, content):
    add("good.lst")
    add("bad.lst").write_bytes(content)
    bag = load(folder)
    assert (set(bag.dags), list(bag.import_errors)) == ({"good"}, ["pyrunner_lst_errors.py"])


def test_neither_does_a_list_that_is_a_dead_link(folder, add):
    add("good.lst")
    os.symlink("nowhere", folder / "bad.lst")
    bag = load(folder)
    assert (set(bag.dags), list(bag.import_errors)) == ({"good"}, ["pyrunner_lst_errors.py"])


@pytest.mark.parametrize("name", ["bad.lst", "pyrunner.toml", ".airflowignore"])
def test_nor_does_a_named_pipe(folder, add, name):
    add("good.lst"), add("x/y/other.lst")
    os.mkfifo(folder / "x" / name)
    assert "good" in load(folder).dags


class TestWhatAirflowRefusesAfterLoading:
    """It would be an error of the file with all lists' DAGs."""

    def test_an_executor_that_it_does_not_have(self, folder, add):
        add("good.lst", f'#AIRFLOW default_args.executor = "LocalExecutor"\n{GOOD}')
        bad = add("bad.lst", f'#AIRFLOW [tasks.1]\n#AIRFLOW executor = "LokalExecutor"\n{GOOD}')
        bag = load(folder)
        assert (set(bag.dags), list(bag.import_errors)) == ({"good"}, ["pyrunner_lst_errors.py"])
        assert (
            f"{bad}: error[unknown-executor]: this Airflow has no executor 'LokalExecutor'\n"
            "    hint: Did you mean LocalExecutor? Its configuration, [core] executor, has: LocalExecutor, "
            "airflow.executors.local_executor.LocalExecutor.\n"
        ) in bag.import_errors["pyrunner_lst_errors.py"]

    def test_a_queue_that_is_not_for_python(self, folder, add, monkeypatch):
        monkeypatch.setenv("AIRFLOW__SDK__QUEUE_TO_COORDINATOR", '{"modern-java": "jdk-17"}')
        add("good.lst", f'#AIRFLOW default_args.queue = "mine"\n{GOOD}')
        bad = add("bad.lst", f'#AIRFLOW default_args.queue = "modern-java"\n{GOOD}')
        bag = load(folder)
        assert set(bag.dags) == {"good"}
        assert (
            f"{bad}: error[queue-not-for-python]: this Airflow's coordinator 'jdk-17' runs what is in the "
            "queue 'modern-java'\n    hint: take a queue that [sdk] queue_to_coordinator in its "
            "configuration does not name\n"
        ) in bag.import_errors["pyrunner_lst_errors.py"]

    def test_all_executors_that_it_does_not_have_at_once(self, folder, add):
        rows = "1|-1|1|0|A|workers|Work\n2|1|1|0|B|workers|Work\n"
        options = [f'#AIRFLOW tasks.{row}.executor = "{name}"\n' for row, name in ((1, "Dask"), (2, "Nomad"))]
        add("bad.lst", "".join(options) + rows)
        error = load(folder).import_errors["pyrunner_lst_errors.py"]
        assert ("no executor 'Dask'" in error, "no executor 'Nomad'" in error) == (True, True)

    @pytest.fixture
    def policy(self):
        """Have a cluster policy, as airflow_local_settings.py has them."""
        manager, made = settings.get_policy_plugin_manager(), []

        def policy(function):
            made.append(type("Policy", (), {function.__name__: staticmethod(hookimpl(function))}))
            manager.register(made[-1])

        yield policy
        for plugin in made:
            manager.unregister(plugin)

    @pytest.mark.parametrize("error", [AirflowClusterPolicyViolation, KeyError])
    def test_a_dag_that_a_cluster_policy_refuses(self, folder, add, policy, error):
        @policy
        def dag_policy(dag):
            if "approved" not in dag.tags:
                raise error("it lacks the tag 'approved'")

        add("good.lst", f'#AIRFLOW tags = ["approved"]\n{GOOD}')
        bad = add("bad.lst")
        bag = load(folder)
        assert (set(bag.dags), list(bag.import_errors)) == ({"good"}, ["pyrunner_lst_errors.py"])
        text = bag.import_errors["pyrunner_lst_errors.py"]
        assert f"{bad}: error[refused-by-policy]: a cluster policy of this Airflow refuses it: " in text
        assert "it lacks the tag 'approved'" in text

    def test_not_one_that_a_cluster_policy_skips(self, folder, add, policy):
        @policy
        def task_policy(task):
            if task.dag_id == "skipped":
                raise AirflowClusterPolicySkipDag

        add("good.lst"), add("skipped.lst")
        bag = load(folder)
        assert (set(bag.dags), bag.import_errors) == ({"good"}, {})

    def test_a_cluster_policy_changes_each_dag_once(self, folder, add, policy):
        @policy
        def task_policy(task):
            task.queue += "!"

        add("good.lst")
        assert load(folder).dags["good"].tasks[0].queue == "default!"


class TestLinksOutOfTheFolder:
    """Who sees import errors need not be one who may read what Airflow can."""

    SECRET = "root:$6$salt$hash:19000|0|99999|7|:::\nx|\n"

    @pytest.fixture
    def link(self, folder, tmp_path_factory):
        def link(name, text):
            target = tmp_path_factory.mktemp("etc") / "shadow"
            target.write_text(text)
            (folder / name).symlink_to(target)
            return target

        return link

    @pytest.mark.parametrize("name", ["bad.lst", "x/pyrunner.toml"])
    def test_nothing_is_shown_of_the_file(self, folder, add, link, name):
        add("good.lst"), add("x/bad.lst" if name != "bad.lst" else "x/y.lst")
        target = link(name, self.SECRET)
        bag = load(folder)
        assert "good" in bag.dags
        text = bag.import_errors["pyrunner_lst_errors.py"]
        assert (
            f"error[problems-elsewhere]: it is a link to '{target}', outside of '{folder}', and has " in text
        )
        assert f"pyrunner-airflow check {folder / name} shows them" in text
        assert "hash" not in text

    def test_a_good_list_is_loaded(self, folder, link):
        link("good.lst", GOOD)
        assert set(load(folder).dags) == {"good"}

    def test_problems_of_a_list_that_a_link_within_the_folder_leads_to_are_shown(self, folder, add):
        (folder / "bad.lst").symlink_to(add("real/bad.txt", BAD))
        assert "bad.lst:1:3: error[unknown-parent]" in load(folder).import_errors["pyrunner_lst_errors.py"]


def test_of_two_lists_with_one_dag_id_the_topmost_loads_and_the_other_is_an_error(folder, add):
    first, second = add("job.lst"), add("a/job.lst", "1|-1|1|0|Other|workers|Work")
    bag = load(folder)
    assert bag.dags["job"].tasks[0].list_path == str(first)
    assert f"{second}: error[duplicate-dag-id]: {first} has the same DAG ID 'job'" in str(bag.import_errors)


class TestMoreThanThereIsTimeFor:
    """Airflow ends a file that takes more than 30 s: then none of its lists would be a DAG."""

    def test_what_is_too_much_is_an_error_and_all_others_are_dags(self, folder, add):
        add("a.lst"), add("z.lst", GOOD + "\n" * 5000)
        large, larger = add("large.lst", GOOD + "\n" * 71_000), add("larger.lst", GOOD + "\n" * 300_000)
        bag = load(folder)
        assert set(bag.dags) == {"a", "z"}
        errors = bag.import_errors["pyrunner_lst_errors.py"]
        for path in (large, larger):
            assert f"{path}: error[no-time]: the lists in {folder} are too many or too large for " in errors

    @pytest.mark.parametrize(
        "arguments", ["{{ a }}," * 300_000, "," * 3_000_000], ids=["templates", "commas"]
    )
    def test_not_only_rows_take_time(self, folder, add, arguments):
        add("a.lst"), add("big.lst", GOOD.replace("Work", f"Work|{arguments}"))
        bag = load(folder)
        assert set(bag.dags) == {"a"}
        assert "big.lst: error[no-time]: " in str(bag.import_errors)

    def test_a_list_counts_with_its_options(self, folder, add):
        for number in range(120):
            add(f"{number}/{number}.lst"), add(f"{number}/pyrunner.toml", "#" * 200_000)
        add("a.lst", GOOD + "\n" * 10)
        bag = load(folder)
        assert "a" in bag.dags
        assert "/99.lst: error[no-time]: " in str(bag.import_errors)

    def test_whoever_gives_it_more_time_has_more(self, folder, add, monkeypatch):
        monkeypatch.setenv("AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT", "600")
        add("large.lst", GOOD + "\n" * 300_000)
        assert set(load(folder).dags) == {"large"}

    def test_a_task_of_a_list_for_which_there_is_time_alone_starts(self, folder, add, monkeypatch):
        add("a.lst", GOOD + "\n" * 40_000), add("b.lst", GOOD + "\n" * 41_000)
        assert set(load(folder, "b", monkeypatch).dags) == {"b"}

    def test_options_are_parsed_once_however_many_lists_they_hold_for(self, folder, add, monkeypatch):
        parsed, parse = [], tomllib.loads
        monkeypatch.setattr(tomllib, "loads", lambda text: parsed.append(text) or parse(text))
        for number in range(40):
            add(f"{number}.lst")
        add("pyrunner.toml", 'tags = ["once"]\n["1.lst"]\nmax_active_runs = 2\n["2.lst"]\nowner = 1\n# once')
        bag = load(folder)
        assert len([text for text in parsed if "once" in text]) == 1
        assert bag.dags.keys() == {str(number) for number in range(40)} - {"2"}
        assert [bag.dags[name].max_active_runs for name in "01"] == [1, 2]
        assert all(dag.tags >= {"once"} for dag in bag.dags.values())

    def test_options_that_change_are_read_again(self, folder, add):
        add("a.lst")
        for tag in "abc":
            add("pyrunner.toml", f'tags = ["{tag}"]')
            assert tag in load(folder).dags["a"].tags


class TestAtTheStartOfATask:
    def test_only_the_list_of_its_dag_is_read(self, folder, add, lists_read, monkeypatch):
        add("a.lst"), add("b.lst"), add("c.lst", BAD)
        bag = load(folder, "b", monkeypatch)
        assert (set(bag.dags), lists_read) == ({"b"}, ["b.lst"])

    @pytest.mark.parametrize("name", ["x/config/b.lst", "b c.lst"])
    def test_also_in_a_folder_below_or_with_another_name(self, folder, add, lists_read, monkeypatch, name):
        add("a.lst"), add(name)
        dag_id = "b" if "/" in name else "b_c"
        bag = load(folder, dag_id, monkeypatch)
        assert (set(bag.dags), lists_read) == ({dag_id}, [Path(name).name])

    def test_it_is_the_same_list_that_is_loaded_otherwise(self, folder, add, monkeypatch):
        add("b c.lst", GOOD), add("b_c.lst", GOOD), add("a/b_c.lst", GOOD)
        everywhere = load(folder).dags["b_c"].tasks[0].list_path
        assert load(folder, "b_c", monkeypatch).dags["b_c"].tasks[0].list_path == everywhere

    def test_all_are_read_if_none_is_of_that_name(self, folder, add, monkeypatch):
        """A task that loads DAGs itself inherits the name of its own."""
        add("a.lst"), add("b.lst")
        assert set(load(folder, "other", monkeypatch).dags) == {"a", "b"}


def test_lists_may_lie_in_a_folder_of_their_own(folder, add, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("lists")
    (elsewhere / "far.lst").write_text(GOOD)
    module = {"__file__": str(folder / "mine.py")}
    loader.load_lst_dags(module, folder=elsewhere)
    assert [dag.dag_id for key, dag in module.items() if key != "__file__"] == ["far"]
