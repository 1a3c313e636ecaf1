"""Someone follows the README from its top: every command runs, every example is what it says.

The commands run in a fresh clone, in their order, with an Airflow of the reader's own. The clone borrows
the interpreter and the packages of this test run, among them pyrunner_airflow itself.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cached_property
from importlib.metadata import distributions
from pathlib import Path

import httpx
import pytest
import yaml

from pyrunner_airflow import LstError, parse_lst, read_lst
from scripts import codes_page
from scripts.airflow_api import AirflowApi
from scripts.interpreters import INTERPRETERS
from scripts.local_airflow import LocalAirflow
from scripts.sample_data_server import SampleDataServer
from tests import moving
from tests.airflow_34 import AIRFLOW_34
from tests.postgres import Postgres
from tests.scheduler.apps import TIMEOUT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("airflow_readme")]

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://)([^)]+)\)")

# What running these would do: they can't run inside of a test run, or would take as long as all tests.
TARGETS = {
    "make lint": ["ruff check", "ruff format --check", "mypy", "lint-imports"],
    "make test": ["install_debian_packages", "pytest tests/discovery", "loadgroup", "-m 'not slow'"],
    "make test-all": ["install_debian_packages", "pytest tests/discovery", "loadgroup"],
    "make fuzz": ["python -m tests.fuzzing 200000"],
    "make bench": ["python -m benchmarks"],
}
ROWS_BEFORE_THE_ERROR = """\
#ID | PARENT_IDS | MAX_ATTEMPTS | RETRY_WAIT_TIME | PROCESS_NAME | MODULE_NAME | WORKER_NAME
1 | -1 | 1 | 0 | Start | workers | Start
2 | 1 | 1 | 0 | Download | workers | Download
"""


class Reader:
    """Somebody with a clone, and with an Airflow that runs as soon as it is needed."""

    def __init__(self, folder: Path, env: dict[str, str], database: str) -> None:
        self.clone = folder / "clone"
        self._airflow = LocalAirflow(folder / "airflow", env=env, database=database)
        subprocess.run(["git", "clone", "--quiet", ROOT, self.clone], check=True)
        venv = self.clone / ".venv"
        venv.mkdir()
        for part in Path(sys.prefix).iterdir():
            (venv / part.name).symlink_to(part)
        (venv / ".ready").unlink(missing_ok=True)
        (venv / ".ready").touch()  # newer than all files of the clone: make has nothing to install
        self.env = {name: value for name, value in self._airflow.env.items() if "MAKE" not in name}

    @cached_property
    def airflow(self) -> LocalAirflow:
        self._airflow.start()
        return self._airflow

    @cached_property
    def demo(self) -> str:
        """What `make demo` prints."""
        return self.run("make demo")

    def run_here(self, line: str) -> str:
        """Run a line of shell as somebody who has not set up an Airflow."""
        return self.run(f'unset "${{!AIRFLOW@}}"; {line}', XDG_STATE_HOME=str(self.clone / "state"))

    def stop(self) -> None:
        self._airflow.stop()

    def run(self, line: str, **env: str) -> str:
        """Run a line of shell, which must succeed, and return what it printed."""
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.clone,
            env=self.env | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def run_airflow(self, line: str) -> None:
        """Run an `airflow` command."""
        self.airflow.cli(*shlex.split(line)[1:])


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Reader]:
    data = ROOT / "example_lst" / "my_sample_app" / "data"
    with SampleDataServer(data, fail_once=["/data2.csv"]) as server:
        env = {"SAMPLE_DATA_URL": server.url, "SAMPLE_SLACK_WEBHOOK_URL": f"{server.url}/slack"}
        reader = Reader(tmp_path_factory.mktemp("reader"), env, postgres.database("reader"))
        try:
            yield reader
        finally:
            reader.stop()


# How each command is run, and what it is to have done


def run_demo(reader: Reader, line: str) -> None:
    assert "All of it was seen" in reader.demo


def leave_airflow_running(reader: Reader, line: str) -> None:
    """Wait until the address is told, look at what is there, and press Ctrl-C."""
    process = subprocess.Popen(
        ["env", "--default-signal=INT", *line.split()],
        cwd=reader.clone,
        env=reader.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    printed = ""
    try:
        while "Ctrl-C" not in printed and (text := process.stdout.readline()):
            printed += text
        told = dict(re.findall(r"^(Address|Login|Password) +(\S+)$", printed, re.MULTILINE))
        assert httpx.get(told["Address"], trust_env=False).status_code == 200, printed
        expect_examples(told["Address"], told["Login"], told["Password"])
    finally:
        os.killpg(process.pid, signal.SIGINT)
        printed += process.communicate(timeout=TIMEOUT)[0]
    assert "Airflow has been stopped." in printed
    assert LocalAirflow(reader.clone / ".airflow" / "ui").processes() == []
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def expect_examples(url: str, user: str, password: str) -> None:
    api = AirflowApi()
    api.connect(url)
    try:
        api.log_in(user, password)
        for example in (ROOT / "example_lst").rglob("*.lst"):
            api.wait_for_dag(example.stem, timeout=TIMEOUT)
        assert api.import_errors() == []
    finally:
        api.disconnect()


def install(reader: Reader, line: str) -> None:
    """Install it into an environment of its own, without what it needs: that takes minutes."""
    venv = reader.clone.with_name("venv")
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    reader.run(line, PATH=f"{venv / 'bin'}{os.pathsep}{reader.env['PATH']}", PIP_NO_DEPS="1")
    (distribution,) = distributions(name="pyrunner-airflow", path=[str(*venv.glob("lib/*/site-packages"))])
    installed = {Path(file) for file in distribution.files}
    script = Path("../../../bin/pyrunner-airflow")
    assert {file.parts[0].partition("-")[0] for file in installed - {script}} == {"pyrunner_airflow"}
    assert {Path("pyrunner_airflow", "py.typed"), script} <= installed


def copy(reader: Reader, line: str) -> None:
    assert reader.airflow.dags_folder.is_dir()
    reader.run(line)


def unpause(reader: Reader, line: str) -> None:
    dag_id = line.split()[-1]
    reader.airflow.wait_for_dag(dag_id, timeout=TIMEOUT)
    reader.run_airflow(line)
    assert reader.airflow.dag(dag_id)["is_paused"] is False


def trigger(reader: Reader, line: str) -> None:
    """Start the run that the reader will restart: one of its downloads fails."""
    reader.run_airflow(line)
    assert reader.airflow.wait_for_run("my_sample_app", "first", TIMEOUT) == "failed"


def trigger_part(reader: Reader, line: str) -> None:
    reader.run_airflow(line)
    assert reader.airflow.wait_for_run("my_sample_app", "second", TIMEOUT) == "success"
    states = reader.airflow.states("my_sample_app", "second")
    assert sorted(task[0] for task, state in states.items() if state == "skipped") == ["1", "2", "4"]


def clear(reader: Reader, line: str) -> None:
    before = reader.airflow.task_instances("my_sample_app", "first")
    reader.run_airflow(line)
    assert reader.airflow.wait_for_run("my_sample_app", "first", TIMEOUT) == "success"
    after = reader.airflow.task_instances("my_sample_app", "first")
    again = [task[0] for task in after if after[task]["start_date"] != before[task]["start_date"]]
    assert sorted(again) == ["3", "5", "6"]


def backfill(reader: Reader, line: str) -> None:
    reader.run_airflow(line)
    dag_id = "my_sample_app_daily"
    found = reader.airflow.api("GET", "dags", dag_id, "dagRuns", params={"order_by": "logical_date"})
    runs = [run for run in found["dag_runs"] if run["run_type"] == "backfill"]
    assert [run["logical_date"][:10] for run in runs] == ["2026-01-02", "2026-01-03", "2026-01-04"]
    for run in runs:
        assert reader.airflow.wait_for_run(dag_id, run["dag_run_id"], TIMEOUT) == "success"


def start_job(reader: Reader, line: str) -> None:
    reader.run(line)
    (path,) = reader.clone.glob("load_orders/config/*.lst")
    assert read_lst(path).options.dag["schedule"] == "0 6 * * *"


def make_environment(reader: Reader, line: str) -> None:
    """Make the environment of docs/interpreter.md in a place of the reader's, and use it."""
    place = str(reader.clone.with_name("etl"))
    reader.run(line.replace("/opt/etl", place).replace("python3.9", INTERPRETERS["3.9"]), PYTHONPATH="")
    if "pip install" in line:
        reader.run(f"{place}/venv/bin/python -c 'import pandas, pyarrow'", PYTHONPATH="")


def read_interpreters(reader: Reader, block: str) -> None:
    """The row of the block runs elsewhere than all others."""
    rows = "".join(f"{number}|-1|1|0|Row {number}|workers|W\n" for number in (1, 4))
    lines = "".join(f"#AIRFLOW {line}\n" for line in block.splitlines() if line)
    task_list = parse_lst(lines + rows)
    assert [task_list.options.python_of(row) for row in task_list.rows] == re.findall(
        'python = "(.*)"', block
    )


def read_queue(reader: Reader, block: str) -> None:
    lines = "".join(f"#AIRFLOW {line}\n" for line in block.splitlines())
    assert set(parse_lst(f"{lines}1|-1|1|0|Row|workers|W").options.default_args) == {"queue", "executor"}


def run_in_clone(reader: Reader, line: str) -> None:
    assert reader.run(line)


def look_at_target(reader: Reader, line: str) -> None:
    plan = reader.run(f"{line} --dry-run")
    for part in TARGETS[line]:
        assert part in plan


def check_lists(reader: Reader, line: str) -> None:
    command = f"{sys.executable} -m pyrunner_airflow"  # the clone's own
    assert "No problems in 5 lists." in reader.run(line.replace("pyrunner-airflow", command))


# What each example is to be


def add_python_dag(reader: Reader, block: str) -> None:
    (reader.airflow.dags_folder / "daily.py").write_text(block)
    dag = reader.airflow.wait_for_dag("my_sample_app_daily", timeout=TIMEOUT)
    assert dag["timetable_summary"] == "0 6 * * *"
    assert len(reader.airflow.tasks("my_sample_app_daily")) == 6


def configure_importer(reader: Reader, block: str) -> None:
    """With the block in airflow.cfg, Airflow 3.4 finds the examples in a folder without loader files."""
    home = reader.clone.with_name("airflow_34")
    home.mkdir()
    (home / "airflow.cfg").write_text(block)
    look = "import sys; from airflow.dag_processing.dagbag import DagBag; print(*DagBag(sys.argv[1]).dags)"
    done = subprocess.run(
        [AIRFLOW_34 / "python", "-c", look, ROOT / "example_lst"],
        env=reader.env | {"AIRFLOW_HOME": str(home)},
        check=True,
        capture_output=True,
        text=True,
    )
    examples = {path.stem for path in (ROOT / "example_lst").rglob("*.lst")}
    assert set(done.stdout.splitlines()[-1].split()) == examples


def run_unit_test(reader: Reader, block: str) -> None:
    subprocess.run([sys.executable, "-c", block], check=True)


def compare_with_demo(reader: Reader, block: str) -> None:
    printed = {without_times(line) for line in reader.demo.splitlines()}
    quoted = [without_times(line) for line in block.splitlines() if line != "..."]
    assert [line for line in quoted if line not in printed] == []


def without_times(line: str) -> str:
    line = re.sub(r"\d\d:\d\d:\d\d +\d+\.\d", "TIMES", line)
    return " ".join(re.sub("─+", "─", line).split())


def compare_with_show(reader: Reader, block: str) -> None:
    path = "example_lst/retry_with_wait/config/retry_with_wait.lst"
    assert reader.run(f"pyrunner-airflow show {path}") == block


def run_here(reader: Reader, line: str) -> None:
    assert reader.run_here(line)


def compare_with_run(reader: Reader, block: str) -> None:
    printed = reader.run_here("pyrunner-airflow run load_orders/config/load_orders.lst")
    assert re.sub(r"\d+\.\d s", "0.2 s", printed).splitlines()[:2] == block.splitlines()


def compare_with_mermaid(reader: Reader, block: str) -> None:
    path = "example_lst/my_sample_app/config/my_sample_app.lst"
    assert reader.run(f"pyrunner-airflow show --format mermaid {path}") == block


def look_for_hooks(reader: Reader, block: str) -> None:
    ids = [hook["id"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())]
    assert [hook["id"] for hook in yaml.safe_load(block)] == ids


def parse_list(reader: Reader, block: str) -> None:
    assert parse_lst(block).warnings == ()


def parse_front_matter(reader: Reader, block: str) -> None:
    options = parse_lst(f"{block}4|-1|1|0|Load|workers|Load").options
    assert (options.dag["schedule"], options.tasks[4]["pool"]) == ("0 6 * * *", "mysql")


def compare_with_report(reader: Reader, block: str) -> None:
    row = block.splitlines()[1].strip()
    with pytest.raises(LstError) as caught:
        parse_lst(ROWS_BEFORE_THE_ERROR + row, "my.lst")
    assert str(caught.value).strip() == block.strip()


def compare_with_codes(reader: Reader, block: str) -> None:
    assert block in {example.printed for example in codes_page.examples(codes_page.PAGE.read_text())}


# A block's language, how its text (of a console, each line) begins, and who takes care of it
STEPS: list[tuple[str, str, Callable[[Reader, str], None]]] = [
    ("toml", r"\[pyrunner\]\npython = ", read_interpreters),
    ("toml", r"\[default_args\]\nqueue = ", read_queue),
    ("console", r"\$ (python3\.9 -m venv|\S+/python -m pip install) ", make_environment),
    *moving.STEPS,
    ("console", r"\$ make demo$", run_demo),
    ("console", r"\$ make airflow$", leave_airflow_running),
    ("console", r"\$ make (lint|test|test-all|fuzz|bench)$", look_at_target),
    ("console", r"\$ pip install \S+$", install),
    ("console", r"\$ cp ", copy),
    ("console", r"\$ airflow dags unpause ", unpause),
    ("console", r"\$ airflow dags trigger --run-id first my_sample_app$", trigger),
    ("console", r"\$ airflow dags trigger --run-id second -c .* my_sample_app$", trigger_part),
    ("console", r"\$ airflow dags clear --run-id first .* my_sample_app$", clear),
    ("console", r"\$ airflow backfill create --dag-id my_sample_app_daily ", backfill),
    ("console", r"\$ pyrunner-airflow init ", start_job),
    ("console", r"\$ (pyrunner-airflow (fmt|show) |python -m pytest load_orders$)", run_in_clone),
    ("console", r"\$ pyrunner-airflow run ", run_here),
    ("console", r"\$ pyrunner-airflow check example_lst$", check_lists),
    ("python", r"(?s).*\bPyRunnerDag\(", add_python_dag),
    ("python", r"(?s).*\bimport Worker\b", run_unit_test),
    ("ini", r"\[dag_processor\]\ndag_importer_configs", configure_importer),
    ("", r"\$ airflow dags trigger --run-id demo", compare_with_demo),
    ("", r"retry_with_wait: ", compare_with_show),
    ("", r"1  Greet  done ", compare_with_run),
    ("mermaid", r"flowchart TD\n", compare_with_mermaid),
    ("yaml", r"- id: ", look_for_hooks),
    ("", r"#ID\|", parse_list),
    ("", r"#AIRFLOW ", parse_front_matter),
    ("", r"my\.lst:\d+:\d+: error", compare_with_report),
    ("", r"my\.lst:\d+:\d+: warning", compare_with_codes),
]


def steps() -> list[tuple[str, str]]:
    """Return what there is to do, in the order of the pages: the language and the text of each step."""
    found: list[tuple[str, str]] = []
    for page in PAGES:
        if page == codes_page.PAGE:
            continue  # tests/cli/test_codes_page.py follows it
        for language, text in BLOCK.findall(page.read_text()):
            parts = text.splitlines() if language == "console" else [text]
            found += [(language, part) for part in parts]
    return found


@pytest.mark.parametrize(
    ("language", "text"), steps(), ids=lambda part: part.splitlines()[0] if part else "text"
)
def test_step(reader: Reader, language: str, text: str) -> None:
    for its_language, begins, take_care in STEPS:
        if language == its_language and re.match(begins, text):
            return take_care(reader, text.removeprefix("$ ") if language == "console" else text)
    pytest.fail(f"No test knows what to do with this {language}: {text}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_link_leads_somewhere(reader: Reader, page: Path) -> None:
    """Look in the clone, where only what is under version control is to be found."""
    folder = reader.clone / page.parent.relative_to(ROOT)
    links = [link.partition("#")[0] for link in LINK.findall(page.read_text())]
    assert [link for link in links if not (folder / link).exists()] == []
