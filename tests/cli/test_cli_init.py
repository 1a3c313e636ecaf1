"""`pyrunner-airflow init`."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from command import on_terminal, run

from pyrunner_airflow import read_lst

BIN = Path(sys.executable).parent
FILES = [
    ".airflowignore",
    "config/app_profile",
    "config/load_orders.lst",
    "tests/conftest.py",
    "tests/test_load_orders.py",
    "workers/workers.py",
]


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def job(tmp_path):
    assert run("init", "load_orders", cwd=tmp_path).code == 0
    return tmp_path / "load_orders"


class TestWhatItMakes:
    def test_the_files(self, job):
        assert files_in(job) == FILES
        assert files_in(job.parent) == [f"load_orders/{file}" for file in FILES]

    def test_it_tells_them_and_what_to_do_next(self, tmp_path):
        assert run("init", "my job/load_orders", cwd=tmp_path).code == 2
        (tmp_path / "my job").mkdir()
        done = run("init", "my job/load_orders", cwd=tmp_path)
        assert "made my job/load_orders/workers/workers.py\n" in done.out
        assert "\n  pyrunner-airflow run 'my job/load_orders'    run it here and now\n" in done.out
        assert "\n  python -m pytest 'my job/load_orders'        test its worker" in done.out

    def test_the_list_is_without_problems_and_aligned(self, job):
        path = job / "config/load_orders.lst"
        task_list = read_lst(path)
        assert task_list.warnings == ()
        assert task_list.options.dag == {"description": "What load_orders does"}
        assert run("fmt", "--check", job).code == 0

    def test_with_a_schedule(self, tmp_path):
        assert run("init", "--schedule", "0 6 * * *", "load_orders", cwd=tmp_path).code == 0
        options = read_lst(tmp_path / "load_orders/config/load_orders.lst").options
        assert options.dag["schedule"] == "0 6 * * *"

    def test_the_worker_passes_its_test(self, job):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", job],
            cwd=job.parent,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        assert "1 passed" in done.stdout

    def test_the_tests_of_two_jobs_run_together_each_with_its_own_workers(self, job):
        assert run("init", "bill_orders", cwd=job.parent).code == 0
        other = job.parent / "bill_orders/workers"
        for folder, kind in ((job / "workers", 1), (other, 2)):
            (folder / "helpers.py").write_text(f"KIND = {kind}\n")
            with (folder / "workers.py").open("a") as file:
                file.write("\nfrom helpers import KIND\n")
            with next(folder.parent.glob("tests/test_*.py")).open("a") as file:
                file.write(f"\n\ndef test_kind(workers):\n    assert workers.KIND == {kind}\n")
        for arguments in (["."], [job, other.parent]):
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
                cwd=job.parent,
                capture_output=True,
                text=True,
            )
            assert "4 passed" in done.stdout, done.stdout

    def test_pyrunner_runs_it(self, job):
        arguments = ["-c", "config/app_profile", "-l", "config/load_orders.lst", "-t", "100", "--nozip"]
        env = {name: value for name, value in os.environ.items() if not name.startswith("APP_")}
        done = subprocess.run(
            [BIN / "pyrunner", *arguments], cwd=job, env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout
        (log,) = job.glob("logs/*/greet.log")
        assert " - Hello, World\n" in log.read_text()

    def test_its_profile_sets_what_pyrunners_own_does(self, job, tmp_path):
        theirs = tmp_path / "theirs"
        theirs.mkdir()
        setup = [BIN / "pyrunner", "--setup"]
        subprocess.run(
            setup, cwd=theirs, input="load_orders\n\n\n", text=True, check=True, capture_output=True
        )
        ours, its = (profile_of(folder) for folder in (job, theirs / "load_orders"))
        assert ours == {**its, "APP_EXEC_TIMESTAMP": ours["APP_EXEC_TIMESTAMP"]}

    def test_its_folder_may_have_any_name(self, tmp_path):
        folder = tmp_path / "it's $HOME `x`"
        folder.mkdir()
        assert run("init", folder / "load_orders").code == 0
        assert profile_of(folder / "load_orders", folder)["APP_ROOT_DIR"] == "./load_orders"
        assert (folder / "load_orders/temp").is_dir()

    @pytest.mark.parametrize("name", ["airflow_dag", "dag-airflow"])
    def test_no_python_file_looks_like_a_dag_file_to_airflow(self, tmp_path, name):
        assert run("init", name, cwd=tmp_path).code == 0
        for path in tmp_path.rglob("*.py"):
            content = path.read_bytes().lower()
            assert not (b"airflow" in content and b"dag" in content)

    def test_others_may_read_it_as_the_umask_says(self, tmp_path):
        subprocess.run(
            ["bash", "-c", f"umask 027; {sys.executable} -m pyrunner_airflow init a"],
            cwd=tmp_path,
            check=True,
        )
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o750
        assert stat.S_IMODE((tmp_path / "a/config/a.lst").stat().st_mode) == 0o640


def profile_of(app, root=None):
    """Return the variables that an app's profile sets, relative to the app."""
    script = 'source "$0/config/app_profile"; env'
    env = {name: value for name, value in os.environ.items() if not name.startswith("APP_")}
    done = subprocess.run(["bash", "-c", script, app], env=env, capture_output=True, text=True, check=True)
    lines = (line.partition("=") for line in done.stdout.splitlines() if line.startswith("APP_"))
    return {name: value.replace(str(root or app), ".") for name, _, value in lines}


class TestNothingIsOverwritten:
    @pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda path: path.symlink_to("nowhere")])
    def test_whatever_is_there_stays(self, tmp_path, make):
        make(tmp_path / "load_orders")
        done = run("init", "load_orders", cwd=tmp_path)
        assert (done.code, done.out) == (2, "")
        assert "load_orders exists already, and nothing is overwritten" in done.err
        assert len(list(tmp_path.rglob("*"))) == 1


class TestMistakes:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ([], "Missing argument 'NAME'."),
            (["load orders"], "A job's name consists of up to 200 letters, digits, _ and -"),
            (["load.orders"], "A job's name consists of"),
            (["größe"], "A job's name consists of"),
            (["x" * 201], "A job's name consists of"),
            (["."], "A job's name consists of"),
            (["nowhere/load_orders"], "There is no folder nowhere: make it first."),
            (
                ["--schedule", "0 6 * *", "load_orders"],
                "A schedule is a cron expression or one of @continuous,",
            ),
            (["--schedule", '@daily"\nx = "', "load_orders"], "A schedule is a cron expression or one of"),
        ],
    )
    def test_is_told_and_nothing_is_made(self, tmp_path, arguments, message):
        done = run("init", *arguments, cwd=tmp_path)
        assert (done.code, done.out) == (2, "")
        assert message in " ".join(done.err.split())
        assert list(tmp_path.iterdir()) == []

    def test_a_disk_that_takes_no_more(self, tmp_path):
        limited = ["prlimit", "--fsize=10", sys.executable, "-m", "pyrunner_airflow", "init", "load_orders"]
        done = subprocess.run(limited, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 2
        assert "File too large" in done.stderr
        assert "Traceback" not in done.stderr
        assert list(tmp_path.iterdir()) == []


class TestOnATerminal:
    def test_it_asks_for_the_name_and_the_schedule(self, tmp_path):
        code, shown = on_terminal("init", typed="load_orders\n@daily\n", cwd=tmp_path)
        assert code == 0
        assert "Name of the job: " in shown
        options = read_lst(tmp_path / "load_orders/config/load_orders.lst").options
        assert options.dag["schedule"] == "@daily"

    def test_an_answer_that_will_not_do_is_asked_for_again(self, tmp_path):
        code, shown = on_terminal("init", typed="load orders\nload_orders\n0 6\n\n", cwd=tmp_path)
        assert code == 0
        assert "Error: A job's name consists of up to 200 letters" in shown
        assert "Error: A schedule is a cron expression" in shown
        options = read_lst(tmp_path / "load_orders/config/load_orders.lst").options
        assert "schedule" not in options.dag

    def test_it_does_not_ask_for_what_is_given(self, tmp_path):
        code, shown = on_terminal("init", "--schedule", "@daily", "load_orders", cwd=tmp_path)
        assert code == 0
        assert shown.startswith("made load_orders/config/load_orders.lst\n")

    def test_ctrl_d_makes_nothing(self, tmp_path):
        code, shown = on_terminal("init", typed="load_orders\n\x04", cwd=tmp_path)
        assert code == 1
        assert "Aborted!" in shown
        assert list(tmp_path.iterdir()) == []
