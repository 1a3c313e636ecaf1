"""Where an app's parts are looked for, and that nothing of one app is left for the next."""

import json
import os
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from worker_jobs import run_row, source, write

from pyrunner_airflow.worker.app import AppError, find_app

SAY = "def run(self): self.context['said'] = {!r}"


def say(text, base="pyrunner_airflow"):
    return source(SAY.format(text), base=base)


def said(root, **columns):
    ran = run_row(root, **columns)
    assert ran.error is None, ran.cause
    return ran.context["said"]


class TestApp:
    @pytest.mark.parametrize(
        ("list_path", "root"),
        [
            ("/apps/x/config/job.lst", "/apps/x"),
            ("/apps/x/job.lst", "/apps/x"),
            ("/apps/x/configs/job.lst", "/apps/x/configs"),
            ("/apps/config/x/job.lst", "/apps/config/x"),
        ],
    )
    def test_root_is_the_lists_folder_or_the_parent_of_config(self, list_path, root):
        assert find_app(list_path).root == root

    def test_name_is_the_lists_without_its_ending(self):
        assert find_app("/apps/my.job-1.lst").name == "my.job-1"

    def test_a_relative_path_is_taken_from_the_working_directory(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert find_app("config/job.lst").root == str(tmp_path)

    @pytest.mark.parametrize("list_name", ["config/job.lst", "job.lst"])
    def test_profile_in_config(self, root, list_name):
        profile = write(root / "config" / "app_profile", "")
        assert find_app(str(root / list_name)).profile == str(profile)

    def test_profile_beside_the_list_goes_first(self, root):
        write(root / "config" / "app_profile", "")
        beside = write(root / "app_profile", "")
        assert find_app(str(root / "job.lst")).profile == str(beside)

    def test_no_profile(self, root):
        assert find_app(str(root / "config" / "job.lst")).profile is None

    @pytest.mark.parametrize(
        ("option", "root"),
        [("/srv/app", "/srv/app"), ("..", "/apps"), ("sub/app", "/apps/x/sub/app"), ("", "/apps/x")],
    )
    def test_a_root_of_its_own_is_taken_from_the_lists(self, option, root):
        assert find_app("/apps/x/config/job.lst", option).root == root

    @pytest.mark.parametrize("place", ["config/app_profile", "app_profile"])
    def test_profile_in_a_root_of_its_own(self, root, tmp_path, place):
        profile = write(tmp_path / "home" / place, "")
        assert find_app(str(root / "job.lst"), str(tmp_path / "home")).profile == str(profile)

    @pytest.mark.parametrize(
        ("option", "folder"), [(None, "/apps/x"), ("data", "/apps/x/data"), ("/srv", "/srv"), ("..", "/apps")]
    )
    def test_a_working_directory_of_its_own_is_taken_from_the_root(self, option, folder):
        assert find_app("/apps/x/config/job.lst", working_directory=option).working_directory == folder


class TestWorkerFolder:
    ORDER = ("workers", "python", "worker", "config")

    @pytest.mark.parametrize("first", range(4))
    def test_the_first_folder_that_holds_the_module(self, root, first):
        for folder in self.ORDER[first:]:
            write(root / folder / "jobs.py", say(folder))
        assert said(root, module="jobs") == self.ORDER[first]

    def test_beside_a_list_in_the_root(self, root):
        write(root / "workers.py", say("root"))
        assert said(root, list_name="job.lst") == "root"

    def test_a_folder_without_the_module_is_passed_over(self, root):
        write(root / "workers" / "other.py", "")
        write(root / "python" / "jobs.py", say("python"))
        assert said(root, module="jobs") == "python"

    def test_app_worker_dir_is_below_the_root(self, root):
        write(root / "workers" / "jobs.py", say("workers"))
        write(root / "src" / "jobs.py", say("src"))
        assert said(root, module="jobs", env={"APP_WORKER_DIR": "src"}) == "src"

    def test_app_worker_dir_may_be_anywhere(self, root, tmp_path):
        write(tmp_path / "shared" / "jobs.py", say("shared"))
        environment = {"APP_WORKER_DIR": str(tmp_path / "shared")}
        assert said(root, module="jobs", env=environment) == "shared"

    def test_with_app_worker_dir_no_other_folder_is_looked_at(self, root):
        write(root / "workers" / "jobs.py", say("workers"))
        ran = run_row(root, module="jobs", env={"APP_WORKER_DIR": "src"})
        assert (ran.code, type(ran.error)) == (905, AppError)

    def test_a_root_elsewhere_has_those_that_are_not_around_the_list(self, root, tmp_path):
        write(tmp_path / "elsewhere" / "workers" / "jobs.py", say("elsewhere"))
        assert said(root, module="jobs", app_root=str(tmp_path / "elsewhere")) == "elsewhere"
        write(root / "python" / "jobs.py", say("around the list"))
        assert said(root, module="jobs", app_root=str(tmp_path / "elsewhere")) == "around the list"

    def test_a_worker_sees_its_folder_as_app_worker_dir(self, root):
        text = source("def run(self): self.context['said'] = os.environ['APP_WORKER_DIR']", "import os")
        write(root / "python" / "workers.py", text)
        assert said(root) == str(root / "python")

    def test_app_worker_dir_can_be_asked_for_in_arguments(self, root):
        write(root / "python" / "workers.py", source("def run(self): self.context['said'] = self.argv[0]"))
        assert said(root, arguments=["$ENV{APP_WORKER_DIR}/x.sql"]) == str(root / "python" / "x.sql")


class TestPath:
    def test_root_comes_first_and_worker_folder_last(self, root, run):
        path = run("def run(self): self.context['path'] = list(sys.path)", "import sys").context["path"]
        assert (path[0], path[-1]) == (str(root), str(root / "workers"))

    @pytest.mark.parametrize(
        ("app_root", "holder"), [("../elsewhere", "app"), ("../elsewhere", "elsewhere"), ("sub", "app/sub")]
    )
    def test_the_root_is_the_one_that_the_worker_folder_belongs_to(self, tmp_path, app_root, holder):
        text = source("def run(self): self.context['said'] = sys.path[0]", "import sys")
        (tmp_path / "elsewhere").mkdir()
        write(tmp_path / holder / "python" / "jobs.py", text)
        assert said(tmp_path / "app", module="jobs", app_root=app_root) == str(tmp_path / holder)

    def test_the_rest_of_sys_path_is_in_between(self, run_in_fork):
        ran = run_in_fork("def run(self): self.context['path'] = list(sys.path)", "import sys")
        assert ran.context["path"][1:-1] == sys.path

    def test_and_so_it_is_in_an_interpreter_of_its_own(self, run_in_own, own_python):
        script = "import json, sys; print(json.dumps(sys.path[1:]))"
        usual = json.loads(subprocess.check_output([own_python, "-E", "-c", script]))
        ran = run_in_own("def run(self): self.context['path'] = list(sys.path)", "import sys")
        assert ran.context["path"][1:-1] == [str(Path(__file__).parent), *usual]

    def test_working_directory_is_the_root(self, root, run):
        ran = run(
            "def run(self): self.context['cwd'] = [AT_IMPORT, os.getcwd()]",
            "import os\nAT_IMPORT = os.getcwd()",
        )
        assert ran.context["cwd"] == [str(root)] * 2

    def test_working_directory_of_its_own(self, root, run):
        (root / "data").mkdir()
        ran = run(
            "def run(self): self.context['cwd'] = os.getcwd()",
            "import os",
            cwd="data",
            logfile="x.log",
        )
        assert ran.context["cwd"] == str(root / "data")
        assert (root / "data" / "x.log").exists()

    def test_a_module_in_the_root_goes_before_one_in_the_worker_folder(self, root):
        """As under PyRunner, whose driver lies in the root."""
        write(root / "jobs.py", say("root"))
        write(root / "workers" / "jobs.py", say("workers"))
        assert said(root, module="jobs") == "root"

    def test_siblings_are_imported_by_bare_name(self, root):
        write(root / "workers" / "helper.py", "NAME = 'sibling'")
        write(root / "common" / "__init__.py", "NAME = 'beside the driver'")
        text = source(
            "def run(self): self.context['said'] = [helper.NAME, common.NAME]", "import common, helper"
        )
        write(root / "workers" / "workers.py", text)
        assert said(root) == ["sibling", "beside the driver"]

    def test_siblings_can_be_imported_while_the_worker_runs(self, root, run):
        write(root / "workers" / "late.py", "NAME = 'late'")
        ran = run("def run(self):\n    import late\n    self.context['said'] = late.NAME")
        assert ran.context["said"] == "late"

    def test_modules_of_a_package(self, root):
        write(root / "workers" / "etl" / "__init__.py", "NAME = 'package'")
        write(
            root / "workers" / "etl" / "load.py",
            source("def run(self): self.context['said'] = NAME", "from . import NAME"),
        )
        assert said(root, module="etl.load") == "package"

    def test_modules_of_a_namespace_package(self, root):
        write(root / "workers" / "etl" / "load.py", say("namespace"))
        assert said(root, module="etl.load") == "namespace"

    @pytest.mark.parametrize("base", ["pyrunner", "pyrunner.worker.abstract", "pyrunner_airflow"])
    def test_every_way_to_import_worker(self, root, base):
        write(root / "workers" / "workers.py", say(base, base=base))
        assert said(root) == base


class TestTwoApps:
    def test_each_sees_its_own_workers(self, tmp_path):
        for name in ("north", "south"):
            write(tmp_path / name / "workers" / "workers.py", say(name))
        assert [said(tmp_path / name) for name in ("north", "south", "north")] == ["north", "south", "north"]

    def test_each_sees_its_own_siblings_and_packages(self, tmp_path):
        text = source(
            "def run(self): self.context['said'] = [helper.NAME, deep.NAME]",
            "import helper\nfrom etl import deep",
        )
        for name in ("north", "south"):
            write(tmp_path / name / "workers" / "workers.py", text)
            write(tmp_path / name / "workers" / "helper.py", f"NAME = {name!r}")
            write(tmp_path / name / "workers" / "etl" / "deep.py", f"NAME = {name!r}")
        assert [said(tmp_path / name) for name in ("north", "south")] == [["north"] * 2, ["south"] * 2]

    def test_one_does_not_see_a_module_that_only_the_other_has(self, tmp_path):
        write(tmp_path / "north" / "workers" / "workers.py", say("north"))
        write(tmp_path / "north" / "workers" / "only_north.py", "")
        write(
            tmp_path / "south" / "workers" / "workers.py", source("def run(self): pass", "import only_north")
        )
        said(tmp_path / "north")
        assert run_row(tmp_path / "south").code == 905

    def test_a_module_on_sys_path_does_not_hide_the_apps(self, tmp_path, monkeypatch):
        """Airflow puts the dags folder on sys.path, and a list right in it has its workers.py there."""
        dags = tmp_path / "dags"
        monkeypatch.syspath_prepend(str(dags))
        write(dags / "workers.py", say("flat"))
        write(dags / "helper.py", "NAME = 'flat'")
        text = source("def run(self): self.context['said'] = helper.NAME", "import helper")
        write(dags / "north" / "workers" / "workers.py", text)
        write(dags / "north" / "workers" / "helper.py", "NAME = 'north'")
        assert [said(dags / "north"), said(dags, list_name="job.lst")] == ["north", "flat"]


class TestModulesOfTheTasksProcess:
    """Those that a DAG's file has imported never reach a worker whose app has its own of that name."""

    @pytest.fixture
    def imported(self, tmp_path, monkeypatch):
        """Import a module from a folder of the DAG's own."""
        names = []

        def import_file(path):
            folder = tmp_path / "dag"
            write(folder / path, "NAME = 'of the DAG'")
            name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            names.extend([name, name.split(".")[0]])
            with monkeypatch.context() as patch:
                patch.syspath_prepend(str(folder))
                return import_module(name)

        yield import_file
        for name in names:
            sys.modules.pop(name, None)

    @pytest.mark.parametrize("folder", [".", "workers"])
    @pytest.mark.parametrize(
        ("path", "of_the_app"),
        [
            ("helpers.py", "helpers.py"),
            ("helpers/__init__.py", "helpers.py"),
            ("helpers.py", "helpers/__init__.py"),
            ("helpers/deep.py", "helpers/deep.py"),
            ("helpers/__init__.py", "helpers/__init__.py"),
        ],
    )
    def test_a_module_or_package(self, root, run, imported, folder, path, of_the_app):
        module = imported(path)
        write(root / folder / of_the_app, "NAME = 'of the app'")
        name = "helpers.deep" if "deep" in of_the_app else "helpers"
        ran = run("def run(self): self.context['said'] = NAME", f"from {name} import NAME")
        assert (ran.error, ran.context) == (None, {"said": "of the app"})
        assert sys.modules[module.__name__] is module

    def test_the_module_of_the_row_itself(self, run, imported):
        imported("workers.py")
        assert run("def run(self): return 3").code == 3

    def test_one_that_the_app_has_none_of_is_there(self, run_in_fork, imported):
        imported("helpers.py")
        ran = run_in_fork("def run(self): self.context['said'] = NAME", "from helpers import NAME")
        assert ran.context == {"said": "of the DAG"}

    @pytest.mark.parametrize("name", ["json", "airflow", "pyrunner_airflow"])
    @pytest.mark.parametrize("entry", ["{}/notes.txt", "{}.py", "{}/__init__.py"])
    def test_what_runs_the_worker_is_never_the_apps(self, root, run, python, name, entry):
        write(root / entry.format(name), "raise ImportError")
        names = "json, pyrunner_airflow.worker" if python else "json, airflow.sdk, pyrunner_airflow.worker"
        ran = run("def run(self): self.context['said'] = json.loads('5')", f"import {names}")
        assert (ran.error, ran.context) == (None, {"said": 5})


class TestTasksProcess:
    """Nothing that a worker does reaches it."""

    @pytest.mark.parametrize("logfile", [None, "x.log"])
    def test_it_stays_as_it_was(self, root, run, logfile):
        def state():
            streams = sys.stdin, sys.stdout, sys.stderr
            return dict(os.environ), os.getcwd(), list(sys.path), dict(sys.modules), streams

        write(root / "workers" / "helper.py", "")
        write(root / "config" / "app_profile", "export APP_X=1")
        before = state()
        ran = run(
            """
            def run(self):
                os.environ["LEFT"] = "x"
                del os.environ["APP_NAME"]
                os.chdir("/")
                sys.path.insert(0, "/left")
                sys.stdout = sys.stderr = io.StringIO()
                import helper, this
            """,
            "import io, os, sys",
            logfile=logfile,
        )
        assert (ran.error, state()) == (None, before)

    @pytest.mark.parametrize(
        "line",
        [
            "sys.path[:0] = [pathlib.Path(os.getcwd()), None, b'/lib', '']",
            "sys.path.clear()",
            "sys.modules.update(a=None, b=types.SimpleNamespace(__file__=5))",
            "sys.modules['c'] = types.SimpleNamespace(__path__=None)",
            "del sys.modules['workers']",
        ],
    )
    def test_odd_entries_do_no_harm_to_the_end(self, run, line):
        ran = run(f"def run(self):\n  {line}\n  return 5", "import os, pathlib, sys, types")
        assert (ran.code, ran.error_type) == (5, "WorkerFailed")


class TestErrors:
    def error(self, root, **columns):
        ran = run_row(root, **columns)
        assert (ran.code, ran.outcome.started) == (905, False)
        return ran.error

    def test_missing_module(self, root):
        error = self.error(root, module="jobs")
        folders = ", ".join(str(root / name) for name in ("workers", "python", "worker", "config"))
        assert (type(error), str(error)) == (AppError, f"there is no module jobs in {folders} or on sys.path")

    def test_missing_module_with_app_worker_dir(self, root):
        error = self.error(root, module="jobs", env={"APP_WORKER_DIR": "src"})
        assert str(error) == f"there is no module jobs in {root / 'src'} or on sys.path"

    def test_a_mere_folder_of_that_name_is_no_module(self, root):
        (root / "workers" / "jobs").mkdir(parents=True)
        assert str(self.error(root, module="jobs")).startswith("there is no module jobs in ")

    def test_a_module_of_python_itself_has_no_such_class(self, root):
        assert str(self.error(root, module="sys")) == "there is no class W in sys"

    def test_missing_package(self, root):
        assert str(self.error(root, module="etl.load")).startswith("there is no module etl in ")

    @pytest.mark.parametrize("package", ["etl/__init__.py", "etl/other.py", "etl.py"])
    def test_missing_module_of_a_package(self, root, package):
        write(root / "workers" / package, "")
        assert str(self.error(root, module="etl.load")).startswith("there is no module etl.load in ")

    def test_a_missing_dependency_keeps_its_own_error(self, root):
        write(root / "workers" / "workers.py", "import no_such_library.part")
        error = self.error(root)
        assert (type(error), error.name) == (ModuleNotFoundError, "no_such_library")

    def test_a_syntax_error_keeps_its_own_error(self, root):
        write(root / "workers" / "workers.py", "def run(:")
        assert type(self.error(root)) is SyntaxError

    def test_missing_class(self, root):
        path = write(root / "workers" / "workers.py", "")
        assert str(self.error(root)) == f"there is no class W in {path}"

    @pytest.mark.parametrize(
        "text", ["class W: pass", "W = 1", "def W(*args): pass", "class Worker: pass\nclass W(Worker): pass"]
    )
    def test_no_worker(self, root, text):
        path = write(root / "workers" / "workers.py", text)
        assert str(self.error(root)) == f"W in {path} is not a subclass of pyrunner's Worker"

    @pytest.mark.parametrize("base", ["pyrunner_airflow", "pyrunner"])
    def test_a_class_without_run(self, root, base):
        write(root / "workers" / "workers.py", source("pass", base=base))
        error = self.error(root)
        assert type(error) is TypeError
        assert "run" in str(error)

    @pytest.mark.parametrize(
        ("columns", "name"),
        [
            ({"module": "../etc"}, "''"),
            ({"module": "/etc/x"}, "'/etc/x'"),
            ({"module": "a..b"}, "''"),
            ({"module": "class"}, "'class'"),
            ({"worker": "W()"}, "'W()'"),
            ({"worker": ""}, "''"),
            ({"module": "$ENV{APP_X}"}, "'os; x'"),
            ({"worker": "$ENV{APP_X}"}, "'os; x'"),
        ],
    )
    def test_a_name_that_is_none(self, root, columns, name):
        error = self.error(root, env={"APP_X": "os; x"}, **columns)
        assert type(error) is AppError
        assert str(error).endswith(f": {name} is not a Python name")

    @pytest.mark.parametrize(
        "columns", [{"list_name": "gone/job.lst"}, {"app_root": "gone"}, {"cwd": "gone"}]
    )
    def test_a_working_directory_that_is_not_on_this_host(self, root, columns):
        error = self.error(root, **columns)
        assert type(error) is AppError
        assert f"{root / 'gone'} is not on {socket.gethostname()}: make it there" in str(error)


class TestEnvironmentReferences:
    ECHO = "def run(self): self.context['said'] = [self.argv, self.arguments_text, self.logfile]"

    def test_module_worker_arguments_and_logfile(self, root):
        write(root / "workers" / "workers.py", source(self.ECHO))
        ran = run_row(
            root,
            env={"APP_A": "work", "APP_B": "W"},
            module="$ENV{APP_A}ers",
            worker="$ENV{APP_B}",
            arguments=["$ENV{APP_A}-$ENV{APP_B}", "b"],
            arguments_text="$ENV{APP_A}, b",
            logfile="logs/$ENV{APP_A}.log",
        )
        assert ran.context["said"] == [["work-W", "b"], "work, b", str(root / "logs" / "work.log")]
        assert (root / "logs" / "work.log").exists()

    def test_names_of_the_process_count_too(self, root, monkeypatch):
        monkeypatch.setenv("SET_OUTSIDE", "outside")
        write(root / "workers" / "workers.py", source(self.ECHO))
        assert said(root, arguments=["$ENV{SET_OUTSIDE}"])[0] == ["outside"]

    def test_an_empty_value_is_a_value(self, root):
        write(root / "workers" / "workers.py", source(self.ECHO))
        assert said(root, arguments=["<$ENV{APP_E}>"], env={"APP_E": ""})[0] == ["<>"]

    def test_a_value_is_not_resolved_again(self, root, monkeypatch):
        monkeypatch.setenv("A", "$ENV{B}")
        write(root / "workers" / "workers.py", source(self.ECHO))
        assert said(root, arguments=["$ENV{A}"])[0] == ["$ENV{B}"]

    def test_only_references_with_the_jobs_mark_are_resolved(self, run):
        arguments = ["$ENV{77A}", "$ENV{A} and $ENV{77A}"]
        ran = run(
            self.ECHO,
            arguments=arguments,
            arguments_text=",".join(arguments),
            logfile="$ENV{A}$ENV{77A}.log",
            mark="77",
            env={"A": "a"},
        )
        assert ran.context["said"][:2] == [["a", "$ENV{A} and a"], "a,$ENV{A} and a"]
        assert ran.context["said"][2].endswith("/$ENV{A}a.log")

    def test_a_variable_of_the_list_may_refer_to_the_profiles_and_to_those_before_it(self, root):
        write(root / "config" / "app_profile", "export APP_A=a")
        write(root / "workers" / "workers.py", source(self.ECHO))
        env = {"B": "$ENV{APP_A}b", "C": "$ENV{B}c"}
        assert said(root, arguments=["$ENV{C}"], env=env)[0] == ["abc"]

    @pytest.mark.parametrize("column", ["module", "worker", "arguments", "arguments_text", "logfile"])
    def test_a_missing_name_is_told_and_nothing_starts(self, root, column):
        write(root / "workers" / "workers.py", say("x"))
        value = "$ENV{APP_MISSING}"
        ran = run_row(root, **{column: [value] if column == "arguments" else value})
        assert (ran.code, type(ran.error)) == (905, AppError)
        assert str(ran.error) == (
            "$ENV{APP_MISSING}: APP_MISSING is not set, neither by app_profile (APP_* names only) nor in the "
            "environment of the process that runs the task. Export it in one of the two."
        )

    def test_names_that_the_job_sets_count_too(self, root):
        write(root / "workers" / "workers.py", source(self.ECHO))
        assert said(root, arguments=["$ENV{STAGE}"], env={"STAGE": "test"})[0] == ["test"]
