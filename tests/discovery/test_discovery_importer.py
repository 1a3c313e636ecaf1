"""What the importer makes of a bundle, as Airflow 3.4 itself lists and loads it."""

import os
import shutil
from pathlib import Path

import pytest
from airflow.dag_processing.bundles.local import LocalDagBundle
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.importers import get_importer_registry, reset_importer_registry

LOADERS = Path(__file__).parents[2] / "dags"
CLASSPATH = "pyrunner_airflow.discovery.importer.LstDagImporter"
JSON = """{"tasks": {
  "A": {"module": "workers", "worker": "Work"},
  "B": {"dependencies": ["A"], "module": "workers", "worker": "Work"}
}}"""
GOOD = "1|-1|1|0|A|workers|Work\n"
BAD = "1|9|1|0|A|workers|Work\n2|-1|x|0|B|workers|Work\n"


@pytest.fixture(autouse=True)
def configured(monkeypatch):
    """Airflow's configuration names the importer."""
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_IMPORTER_CONFIGS", f'["{CLASSPATH}"]')
    reset_importer_registry()
    yield
    reset_importer_registry()


@pytest.fixture
def add(tmp_path):
    """Put a file into the bundle."""

    def write(name, text=GOOD):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def load(bundle, file=None, **kwargs):
    """Load the bundle, or one file of it as the DAG processor and the start of a task do."""
    return DagBag(file or bundle, bundle_path=bundle, bundle_name="lists", **kwargs)


def listed(bundle, safe_mode=True):
    """The files that the DAG processor is told to parse."""
    definitions = get_importer_registry().list_dag_definitions(
        LocalDagBundle(name="lists", path=str(bundle)), safe_mode=safe_mode
    )
    return sorted(definition.get_relative_loc(bundle) for _, definition in definitions)


class TestListing:
    def test_lists_anywhere_in_the_bundle_and_no_other_files(self, add, tmp_path):
        for name in ("a.lst", "x/config/b.lst", "x/data.csv", "x/lst", "x/pyrunner.toml", "x/app_profile"):
            add(name)
        assert listed(tmp_path) == ["a.lst", "x/config/b.lst"]

    @pytest.mark.parametrize("safe_mode", [True, False])
    def test_lists_in_json_and_no_other_json(self, add, tmp_path, safe_mode):
        add("a.json", JSON)
        add("package.json", '{"tasks": {"build": {"dependsOn": ["^build"]}}}')
        add("b.json", "[1")
        assert listed(tmp_path, safe_mode) == ["a.json"]

    def test_of_json_nothing_else_is_taken_from_others(self, add, tmp_path):
        registry = get_importer_registry()
        assert ".json" not in registry.supported_extensions()
        assert registry.can_handle(add("a.json", JSON))
        assert not registry.can_handle(add("package.json", "{}"))

    @pytest.mark.parametrize(
        ("ignore", "left"),
        [
            ("b.lst", ["a.lst", "x/a.lst"]),
            ("x/", ["a.lst", "b.lst"]),
            ("*.lst\n!a.lst", ["a.lst", "x/a.lst"]),
        ],
    )
    def test_airflowignore_is_honoured(self, add, tmp_path, ignore, left):
        for name in ("a.lst", "b.lst", "x/a.lst", "x/b.lst"):
            add(name)
        add(".airflowignore", ignore)
        assert listed(tmp_path) == left

    @pytest.mark.parametrize(
        ("text", "is_left_alone"),
        [
            ("/etc/hosts\n/etc/motd\n", True),
            ("\\begin{lstlisting}\nx = 1\n", True),
            ("# names\nanna\n", True),
            (GOOD, False),
            ("1;-1;1;0;A;workers;Work", False),
            ("A|workers|Work", False),
            ("", False),
            ("#PYTHON\n\n", False),
            (GOOD.encode("utf-16"), False),
        ],
    )
    def test_safe_mode_leaves_alone_what_cannot_be_a_task_list(self, add, tmp_path, text, is_left_alone):
        add("a.lst", text)
        assert (listed(tmp_path) == []) is is_left_alone
        assert listed(tmp_path, safe_mode=False) == ["a.lst"]

    def test_safe_mode_reads_of_a_file_only_its_beginning(self, add, tmp_path):
        with add("huge.lst").open("ab") as file:
            file.truncate(10**12)
        assert listed(tmp_path) == ["huge.lst"]


class TestDags:
    def test_a_list_is_the_file_of_its_dag(self, add, tmp_path):
        path = add("team/config/b.lst")
        dag = load(tmp_path).dags["b"]
        assert (dag.fileloc, dag.relative_fileloc) == (str(path), "team/config/b.lst")

    def test_a_list_in_json_is_one_too(self, add, tmp_path):
        path = add("b.json", JSON)
        for file in (path, None):
            bag = load(tmp_path, file)
            assert (list(bag.dags), bag.import_errors) == (["b"], {})
        assert bag.dags["b"].task_ids == ["1_a", "2_b"]

    def test_its_errors_have_their_place(self, add, tmp_path):
        path = add("b.json", JSON.replace('"workers"', '""', 1))
        (shown,) = load(tmp_path, path).import_errors.values()
        assert "b.json:2:3: error[missing-value]: module is empty" in shown

    def test_dag_id_and_task_ids_are_those_that_the_loader_gives(self, add, tmp_path, monkeypatch):
        add("b c.lst", "1|-1|1|0|First Row|workers|Work\n7|1|1|0|Last Row|workers|Work\n")
        imported = load(tmp_path).dags
        shutil.copy(LOADERS / "pyrunner_lst.py", tmp_path)
        monkeypatch.delenv("AIRFLOW__DAG_PROCESSOR__DAG_IMPORTER_CONFIGS")
        reset_importer_registry()
        loaded = load(tmp_path).dags
        assert {name: dag.task_ids for name, dag in imported.items()} == {
            name: dag.task_ids for name, dag in loaded.items()
        }

    def test_the_start_of_a_task_reads_its_list_alone(self, add, tmp_path, monkeypatch):
        path = add("b.lst")
        add("a.lst")
        add("c.lst", BAD)
        monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "b")  # how Airflow tells its task process
        bag = load(tmp_path, path, safe_mode=False)
        assert (list(bag.dags), bag.import_errors) == (["b"], {})
        assert bag.dags["b"].tasks[0].list_path == str(path)

    def test_options_come_from_the_folders_up_to_the_bundle(self, add, tmp_path):
        add("lists/pyrunner.toml", 'description = "from the top"')
        add("pyrunner.toml", 'description = "from outside"')
        path = add("lists/team/config/a.lst")
        assert load(tmp_path / "lists", path).dags["a"].description == "from the top"

    def test_the_code_tab_shows_the_list(self, add, tmp_path):
        add("a.lst", "\ufeff# Größe\r\n" + GOOD)
        source = load(tmp_path).dag_source_codes["a"]
        assert (source.source_code, source.language) == ("# Größe\r\n" + GOOD, "plaintext")

    @pytest.mark.parametrize(
        ("text", "shown"), [(GOOD, GOOD), ("root:hash|", "a.lst is no task list any more.")]
    )
    def test_it_shows_what_a_link_leads_to_only_if_that_is_a_list(
        self, add, tmp_path, tmp_path_factory, text, shown
    ):
        target = tmp_path_factory.mktemp("etc") / "shadow"
        target.write_text(GOOD)
        (tmp_path / "a.lst").symlink_to(target)
        bundle = LocalDagBundle(name="lists", path=str(tmp_path))
        ((importer, definition),) = get_importer_registry().list_dag_definitions(bundle)
        target.write_text(text)
        assert importer.get_source_code(definition).source_code.strip().endswith(shown.strip())

    def test_all_that_is_odd_is_one_warning_of_its_dag(self, add, tmp_path):
        path = add("a.lst", GOOD + "2|-1|1|0|A|workers|Work\n3|-1|1|0|A|workers|Work\n")
        (warning,) = load(tmp_path, path).dag_warnings
        assert (warning.dag_id, warning.warning_type) == ("a", "pyrunner:list")
        assert warning.message.count("warning[duplicate-name]") == 2


class TestErrors:
    def test_all_problems_of_a_list_are_one_error_of_its_file(self, add, tmp_path):
        path = add("x/bad.lst", BAD)
        add("good.lst")
        bag = load(tmp_path)
        assert list(bag.dags) == ["good"]
        ((file, text),) = bag.import_errors.items()
        assert file == "x/bad.lst"
        assert f"{path}:1:3: error[unknown-parent]" in text
        assert f"{path}:2:6: error[invalid-integer]" in text
        assert "Traceback" not in text

    def test_so_are_those_of_its_options(self, add, tmp_path):
        toml = add("pyrunner.toml", "tagz = 1")
        path = add("a.lst")
        assert f"{toml}:1:1: error" in load(tmp_path, path).import_errors["a.lst"]

    def test_it_says_what_becomes_of_runs_that_are_under_way(self, add, tmp_path):
        add("bad.lst", BAD)
        assert "\n\nA list with an error is no DAG: runs of it " in load(tmp_path).import_errors["bad.lst"]

    def test_options_for_lists_that_are_not_there_are_an_error_of_their_file(self, add, tmp_path):
        add("b/job.lst"), add("ignored.lst"), add(".airflowignore", "ignored.lst")
        toml = add("b/pyrunner.toml", '["jop.lst"]\n["job.lst"]\n')
        add("pyrunner.toml", '["b/job.lst"]\n["ignored.lst"]\n')
        for bag in (load(tmp_path), load(tmp_path, toml)):
            ((file, text),) = bag.import_errors.items()
            assert file == "b/pyrunner.toml"
            assert text.startswith(f"{toml}:1:1: warning[unknown-list]: these options are for no list")
            assert "hint: Did you mean 'job.lst'? " in text

    @pytest.mark.parametrize("content", [b"", b"\xff1", b"1\x00", b"|" * 10_000, b"1|-1|1|0|A|w|W|{% x"])
    def test_no_content_does_worse(self, add, tmp_path, content):
        add("bad.lst", content)
        assert list(load(tmp_path).import_errors) == ["bad.lst"]

    def test_nothing_is_shown_of_a_file_outside_of_the_bundle(self, tmp_path, tmp_path_factory):
        target = tmp_path_factory.mktemp("etc") / "shadow"
        target.write_text("root:hash|")
        (tmp_path / "a.lst").symlink_to(target)
        text = load(tmp_path).import_errors["a.lst"]
        assert f"it is a link to '{target}', outside of '{tmp_path}', and has " in text
        assert "hash" not in text

    @pytest.mark.parametrize("name", [os.fsdecode(b"\xff"), "/".join(["x" * 200] * 6)])
    def test_a_path_that_airflow_could_not_store_is_one_that_it_can(self, add, tmp_path, name):
        add("good.lst"), add(f"{name}.lst")
        bag = load(tmp_path)
        assert list(bag.dags) == ["good"]
        ((file, text),) = bag.import_errors.items()
        assert len(file.encode()) <= 1024
        assert text.endswith("has a path that Airflow can't store: give it a short one, in UTF-8")

    def test_a_list_that_is_gone_again_is_one(self, add, tmp_path):
        bundle = LocalDagBundle(name="lists", path=str(tmp_path))
        path = add("a.lst")
        ((importer, definition),) = get_importer_registry().list_dag_definitions(bundle)
        path.unlink()
        (error,) = importer.import_definition(definition, bundle).errors
        assert f"{path}: error[unreadable-file]" in error.message


class TestTwoListsOfOneName:
    """Airflow's DAG processor lists a bundle, and then parses each file by itself."""

    @pytest.fixture
    def twins(self, add, tmp_path):
        first, second = add("job.lst"), add("a/job.lst")
        bundle = LocalDagBundle(name="lists", path=str(tmp_path))
        assert len([*get_importer_registry("lists").list_dag_definitions(bundle)]) == 2
        return first, second

    def test_the_topmost_loads_and_the_other_is_an_error_that_names_both(self, twins, tmp_path):
        first, second = twins
        assert list(load(tmp_path, first).dags) == ["job"]
        bag = load(tmp_path, second)
        assert bag.dags == {}
        expected = f"{second}: error[duplicate-dag-id]: {first} has the same DAG ID 'job'"
        assert bag.import_errors["a/job.lst"].startswith(expected)

    def test_so_it_is_where_all_are_loaded_at_once(self, add, tmp_path):
        first = add("x/job.lst")
        add("x/y/job.lst"), add("z/y/job.lst")
        bag = load(tmp_path)
        assert bag.dags["job"].fileloc == str(first)
        assert sorted(bag.import_errors) == ["x/y/job.lst", "z/y/job.lst"]

    def test_the_other_loads_when_the_first_is_gone(self, twins, tmp_path):
        first, second = twins
        first.unlink()
        assert list(load(tmp_path, second).dags) == ["job"]

    def test_what_is_no_list_takes_no_name(self, add, tmp_path):
        add("job.lst", "/etc/hosts\n"), add("a/job.lst")
        assert list(load(tmp_path).dags) == ["job"]


class TestLoaderFilesBesideIt:
    """Somebody configured the importer, and left the two files of ``dags/`` where they are."""

    @pytest.fixture(autouse=True)
    def loaders(self, tmp_path):
        for file in LOADERS.glob("*.py"):
            shutil.copy(file, tmp_path)

    def test_they_stand_down_and_say_so(self, add, tmp_path, caplog):
        add("a.lst"), add("bad.lst", BAD)
        with caplog.at_level("INFO", "pyrunner_airflow"):
            bag = load(tmp_path)
        assert [dag.relative_fileloc for dag in bag.dags.values()] == ["a.lst"]
        assert list(bag.import_errors) == ["bad.lst"]
        assert sorted(record.getMessage() for record in caplog.records) == [
            f"{tmp_path / name} does nothing: LstDagImporter reads the task lists. The file can be removed."
            for name in ("pyrunner_lst.py", "pyrunner_lst_errors.py")
        ]

    def test_a_task_that_was_queued_from_them_still_starts(self, add, tmp_path, monkeypatch):
        add("a.lst")
        monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "a")
        assert list(load(tmp_path, tmp_path / "pyrunner_lst.py").dags) == ["a"]

    def test_one_for_lists_that_lie_elsewhere_goes_on(self, tmp_path, tmp_path_factory):
        elsewhere = tmp_path_factory.mktemp("lists")
        (elsewhere / "far.lst").write_text(GOOD)
        mine = tmp_path / "mine.py"
        mine.write_text(
            f"# an Airflow DAG\nfrom pyrunner_airflow import load_lst_dags\n"
            f"load_lst_dags(globals(), folder={os.fspath(elsewhere)!r})\n"
        )
        assert list(load(tmp_path, mine).dags) == ["far"]
