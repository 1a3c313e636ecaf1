"""Someone follows the README and the pages of the site: every command runs, every example is what it says.

The commands run in a fresh clone, in the order of the site, with one Airflow of the reader's own for all of
them. The clone borrows the interpreter and the packages of this test run, among them pyrunner_airflow itself.
What needs Airflow, or takes long, is marked slow; `make test` does the rest, and sees that all can be read.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from functools import cached_property
from importlib.metadata import distributions
from pathlib import Path

import httpx
import pytest
import yaml

from pyrunner_airflow import LstError, parse_lst, read_lst
from scripts import codes_page, reference_pages
from scripts.airflow_api import AirflowApi
from scripts.interpreters import INTERPRETERS
from scripts.local_airflow import LocalAirflow
from scripts.site_hooks import PAGES as BESIDE_DOCS
from tests import moving
from tests.postgres import Postgres
from tests.scheduler.apps import TIMEOUT
from tests.setups import AIRFLOW_34
from tests.warm import WarmCommands

pytestmark = pytest.mark.xdist_group("airflow_readme")

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://)([^)]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
MADE = ("codes.md", *reference_pages.PAGES)
"""Pages with tests of their own, tests/cli/test_codes_page.py and test_reference_pages.py."""


def pages() -> list[Path]:
    """Return the pages of the site in its order."""
    beside = {page: ROOT / name for name, page in BESIDE_DOCS.items()}
    return [
        beside.get(name, ROOT / "docs" / name) for name in _named(yaml.safe_load(SITE.read_text())["nav"])
    ]


def _named(part: object) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    else:
        for inner in part.values() if isinstance(part, dict) else part:
            yield from _named(inner)


SITE = ROOT / "mkdocs.yml"
PAGES = pages()

# What running these would do: they can't run inside of a test run, or would take as long as all tests.
TARGETS = {
    "make lint": ["ruff check", "ruff format --check", "mypy", "lint-imports"],
    "make test": ["install_debian_packages", "loadgroup", "-m 'not slow'", "tests/discovery", ".venv34"],
    "make test-all": ["install_debian_packages", "loadgroup", ".venv34"],
    "make test AIRFLOW=3.4.0rc1": ["apache-airflow==3.4.0rc1", "-m 'not slow'"],
    "make test-34": ["install_debian_packages", "loadgroup", ".venv34"],
    "make test-pythons": ["tests=test-all; for version in 3.14 3.13 3.12", "ON_34= $tests"],
    "make test-lowest": ["uv pip compile", "-m 'not slow'"],
    "make fuzz": ["python -m tests.fuzzing 200000"],
    "make bench": ["python -m benchmarks"],
    "make docs": ["mkdocs build --strict"],
    "make dist": ["twine check --strict"],
}
ROWS_BEFORE_THE_ERROR = """\
#ID | PARENT_IDS | MAX_ATTEMPTS | RETRY_WAIT_TIME | PROCESS_NAME | MODULE_NAME | WORKER_NAME
1 | -1 | 1 | 0 | Start | workers | Start
2 | 1 | 1 | 0 | Download | workers | Download
"""


class Reader:
    """Somebody with a clone, and with an Airflow that runs as soon as it is needed."""

    def __init__(self, folder: Path, database: Callable[[], str]) -> None:
        self.clone = folder / "clone"
        self._airflow = LocalAirflow(folder / "airflow")
        self._database = database
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
        self._airflow.database = self._database()
        self._airflow.start()
        return self._airflow

    @cached_property
    def demo(self) -> str:
        """What `make demo` prints."""
        return self.run("make demo")

    @cached_property
    def first_run(self) -> str:
        """What the first `pyrunner-airflow run` prints."""
        return self.run_here("pyrunner-airflow run load_orders")

    def run_here(self, line: str, state: str = "state") -> str:
        """Run a line of shell as somebody who has not set up an Airflow."""
        return self.run(f'unset "${{!AIRFLOW@}}"; {line}', XDG_STATE_HOME=str(self.clone / state))

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

    @cached_property
    def _airflow_commands(self) -> WarmCommands:
        return WarmCommands(self.airflow)

    def run_airflow(self, line: str) -> str:
        """Run an `airflow` command, and return what it printed."""
        return self._airflow_commands(*shlex.split(line)[1:])


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Reader]:
    def database() -> str:
        postgres: Postgres = request.getfixturevalue("postgres")
        return postgres.database("reader")

    reader = Reader(tmp_path_factory.mktemp("reader"), database)
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
    page = Path("pyrunner_airflow", "ui", "static", "pyrunner.js")
    assert {Path("pyrunner_airflow", "py.typed"), page, script} <= installed


def export(reader: Reader, line: str) -> None:
    """Set a variable for all commands that follow; Airflow's home has been chosen."""
    name, _, value = line.removeprefix("export ").partition("=")
    reader.env.setdefault(name, value)


def look_at_airflow(reader: Reader, line: str) -> None:
    assert reader.airflow.is_healthy()


def unpause(reader: Reader, line: str) -> None:
    dag_id = line.split()[-1]
    reader.airflow.wait_for_dag(dag_id, timeout=TIMEOUT)
    reader.run_airflow(line)
    assert reader.airflow.dag(dag_id)["is_paused"] is False


def trigger(reader: Reader, line: str) -> None:
    """Start the run that the reader will restart: one of its files is not there."""
    reader.run_airflow(line)
    assert reader.airflow.wait_for_run("my_sample_app", "first", TIMEOUT) == "failed"


def trigger_part(reader: Reader, line: str) -> None:
    reader.run_airflow(line)
    assert reader.airflow.wait_for_run("my_sample_app", "second", TIMEOUT) == "success"
    states = reader.airflow.states("my_sample_app", "second")
    assert sorted(task[0] for task, state in states.items() if state == "skipped") == ["1", "2", "4"]


def trigger_and_wait(reader: Reader, line: str) -> None:
    assert reader.run_airflow(line).endswith("\nthe run ended: success\n")


def restart(reader: Reader, line: str) -> None:
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
    reader.airflow.pause(dag_id)  # that they run is for tests/scheduler/test_scheduler_backfill.py to see


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
    reader.run(line)


def look_at_test(reader: Reader, line: str) -> None:
    """It is a test; the environments are those that `make` makes."""
    assert (reader.clone / line.split()[-1]).is_file()


def look_at_target(reader: Reader, line: str) -> None:
    plan = reader.run(f"{line} --dry-run")
    for part in TARGETS[line]:
        assert part in plan


def check_lists(reader: Reader, line: str) -> None:
    command = f"{sys.executable} -m pyrunner_airflow"  # the clone's own
    assert "No problems in 10 lists." in reader.run(line.replace("pyrunner-airflow", command))


# What each example is to be


def make_list(reader: Reader, block: str) -> None:
    """It makes a list, and one with errors does not take its place."""
    made = reader.clone / "load_tables/config/load_tables.lst"
    made.parent.mkdir(parents=True)
    program = reader.clone / "make_list.py"
    program.write_text(block)
    reader.run("python make_list.py")
    assert [row.name for row in read_lst(made).rows] == ["Start", "Load orders", "Load prices"]
    program.write_text(block.replace('"orders"', '"a|b|c"'))
    assert "error[extra-columns]" in reader.run("! python make_list.py 2>&1")
    assert len(read_lst(made).rows) == 3
    assert os.listdir(made.parent) == [made.name]


def load_groups(reader: Reader, block: str) -> None:
    (reader.clone / "example_lst/night.py").write_text(block)
    script = "from night import night; print(len(night.tasks), *night.get_task('publish').upstream_task_ids)"
    printed = reader.run(f"PYTHONPATH=$PYTHONPATH:example_lst python -c {shlex.quote(script)}")
    assert printed.splitlines()[-1] == "9 my_sample_app.6_end_job_notification"


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


def run_job(reader: Reader, line: str) -> None:
    assert "succeeded: 1 done" in reader.first_run


def run_here(reader: Reader, line: str) -> None:
    assert reader.run_here(line)


def run_as_uvx_does(reader: Reader, line: str) -> None:
    """What uvx makes of a wheel is tested with it, in tests/test_release.py."""
    assert reader.run_here(line.removeprefix("uvx --from . "), "uvx")


def write_environments(reader: Reader, block: str) -> None:
    (reader.clone / "example_lst/my_sample_app/pyrunner.toml").write_text(block)


def choose_environment(reader: Reader, block: str) -> None:
    (reader.clone / "airflow.cfg").write_text(block)
    script = "from pyrunner_airflow.configuration import environment; print(environment())"
    printed = reader.run(f"AIRFLOW_CONFIG=$PWD/airflow.cfg python -c '{script}'")
    assert printed.splitlines()[-1] == "prod"


def compare_with_options(reader: Reader, block: str) -> None:
    (line,) = re.findall(r"^\$ (.* show --options .*)$", (ROOT / "docs/schedule.md").read_text(), re.M)
    assert reader.run(line) == block


def write_schema(reader: Reader, line: str) -> None:
    reader.run(line)
    json.loads((reader.clone / line.split()[-1]).read_text())


def point_editors_at_schema(reader: Reader, block: str) -> None:
    (rule,) = tomllib.loads(block)["rule"]
    assert (reader.clone / rule["schema"]["path"]).exists()


def compare_with_run(reader: Reader, block: str) -> None:
    assert re.sub(r"\d+\.\d s", "0.2 s", reader.first_run).splitlines()[:3] == block.splitlines()


def compare_with_mermaid(reader: Reader, block: str) -> None:
    path = "example_lst/my_sample_app/config/my_sample_app.lst"
    assert reader.run(f"pyrunner-airflow show --format mermaid {path}") == block


def look_for_hooks(reader: Reader, block: str) -> None:
    ids = [hook["id"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())]
    assert [hook["id"] for hook in yaml.safe_load(block)] == ids


def parse_list(reader: Reader, block: str) -> None:
    assert parse_lst(block).warnings == ()


def parse_front_matter(reader: Reader, block: str) -> None:
    row = "4|-1|1|0|Load|workers|Load"
    found = parse_lst(block + row)
    assert found.options != parse_lst(row).options
    assert not found.warnings


def compare_with_report(reader: Reader, block: str) -> None:
    row = block.splitlines()[1].strip()
    with pytest.raises(LstError) as caught:
        parse_lst(ROWS_BEFORE_THE_ERROR + row, "my.lst")
    assert str(caught.value).strip() == block.strip()


def compare_with_codes(reader: Reader, block: str) -> None:
    assert block in {example.printed for example in codes_page.examples(codes_page.PAGE.read_text())}


def look(reader: Reader, block: str) -> None:
    """Nothing is to be run of a drawing."""


Steps = list[tuple[str, str, Callable[[Reader, str], None]]]
# A block's language, how its text (of a console, each line) begins, and who takes care of it
QUICK: Steps = [
    ("toml", r"\[pyrunner\]\npython = ", read_interpreters),
    ("toml", r"\[default_args\]\nqueue = ", read_queue),
    *moving.QUICK,
    ("console", rf"\$ ({'|'.join(TARGETS)})$", look_at_target),
    ("console", r"\$ (mkdir|cp|mv) ", run_in_clone),
    ("console", r"\$ export ", export),
    ("console", r"\$ \.venv(34)?/bin/python -m pytest tests/", look_at_test),
    ("console", r"\$ pyrunner-airflow init ", start_job),
    ("console", r"\$ (pyrunner-airflow (fmt|show) |python -m pytest load_orders$)", run_in_clone),
    ("console", r"\$ pyrunner-airflow run --dryrun ", run_here),
    ("console", r"\$ pyrunner-airflow schema > ", write_schema),
    ("toml", r"\[\[rule\]\]", point_editors_at_schema),
    ("console", r"\$ pyrunner-airflow check example_lst$", check_lists),
    ("python", r"(?s).*\bpyrunner_airflow import Worker\b", run_unit_test),
    ("", r"retry_with_wait: ", compare_with_show),
    ("toml", r'\["my_sample_app.lst"\]\nschedule = .*\n\n\[env', write_environments),
    ("python", r"(?s).*\bPyRunnerTaskGroup\(", load_groups),
    ("python", r'"""Writes the list ', make_list),
    ("ini", r"\[pyrunner_airflow\]\n", choose_environment),
    ("console", r"\$ AIRFLOW__PYRUNNER_AIRFLOW__ENVIRONMENT=\w+ pyrunner-airflow show ", run_in_clone),
    ("", r"schedule = .*  # example_lst", compare_with_options),
    ("mermaid", r"flowchart TD\n", compare_with_mermaid),
    ("yaml", r"- id: ", look_for_hooks),
    ("", r"#ID\|", parse_list),
    ("json", r'\{\s+"tasks": ', parse_list),
    ("", r"#AIRFLOW ", parse_front_matter),
    ("", r"my\.lst:\d+:\d+: error", compare_with_report),
    ("", r"my\.lst:\d+:\d+: warning", compare_with_codes),
    ("text", r" my_sample_app\.lst ", look),
]
SLOW: Steps = [
    *moving.IN_AIRFLOW,
    ("console", r"\$ (python3\.9 -m venv|\S+/python -m pip install) ", make_environment),
    ("console", r"\$ make demo$", run_demo),
    ("console", r"\$ make airflow$", leave_airflow_running),
    ("console", r"\$ pip install \S+$", install),
    ("console", r"\$ airflow standalone$", look_at_airflow),
    ("console", r"\$ airflow dags unpause ", unpause),
    ("console", r"\$ airflow dags trigger --run-id first my_sample_app$", trigger),
    ("console", r"\$ airflow dags trigger --run-id second -c .* my_sample_app$", trigger_part),
    ("console", r"\$ airflow pyrunner restart my_sample_app first$", restart),
    ("console", r"\$ airflow pyrunner trigger --from 3 .* --wait my_sample_app$", trigger_and_wait),
    ("console", r"\$ airflow backfill create --dag-id my_sample_app_daily ", backfill),
    ("console", r"\$ pyrunner-airflow run load_orders", run_job),
    ("console", r"\$ uvx --from \. pyrunner-airflow (init|run) demo$", run_as_uvx_does),
    ("python", r"(?s).*\bPyRunnerDag\(", add_python_dag),
    ("ini", r"\[dag_processor\]\ndag_importer_configs", configure_importer),
    ("", r"\$ airflow dags trigger --run-id demo", compare_with_demo),
    ("", r"making an empty database ", compare_with_run),
]
# What can be read of a step that is left to `make test-all`.
READ: dict[str, Callable[[str], object]] = {
    "console": lambda line: subprocess.run(["bash", "-nc", line.removeprefix("$ ")], check=True),
    "ini": lambda text: ConfigParser().read_string(text),
    "python": lambda text: compile(text, "block.py", "exec"),
    "toml": tomllib.loads,
    "": len,
}


def find(language: str, text: str, steps: Steps) -> Callable[[Reader, str], None] | None:
    """Return who takes care of a step, if it is one of these."""
    return next((do for its, begins, do in steps if its == language and re.match(begins, text)), None)


def steps() -> Iterator[tuple[str, str]]:
    """Yield what there is to do, in the order of the pages: the language and the text of each step."""
    for page in PAGES:
        if page.name not in MADE:
            for language, text in BLOCK.findall(page.read_text()):
                yield from (
                    (language, part) for part in (text.splitlines() if language == "console" else [text])
                )


STEPS = [
    pytest.param(
        language,
        text,
        marks=[] if find(language, text, QUICK) else pytest.mark.slow,
        id=text.splitlines()[0] if text else "text",
    )
    for language, text in steps()
]


@pytest.mark.parametrize(("language", "text"), STEPS)
def test_step(reader: Reader, language: str, text: str) -> None:
    take_care = find(language, text, QUICK + SLOW)
    take_care(reader, text.removeprefix("$ ") if language == "console" else text)


def test_there_is_a_test_for_each_step_and_those_that_take_long_can_be_read():
    assert [step for step in steps() if not find(*step, QUICK + SLOW)] == []
    for language, text in steps():
        if not find(language, text, QUICK):
            READ[language](text)


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) < 200


def test_each_page_is_in_the_site():
    assert {page for page in PAGES if page.parent == ROOT / "docs"} == set((ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_link_leads_somewhere(reader: Reader, page: Path) -> None:
    """Look in the clone, where only what is under version control is to be found."""
    folder = reader.clone / page.parent.relative_to(ROOT)
    for link in LINK.findall(page.read_text()):
        name, _, anchor = link.partition("#")
        target = folder / name if name else reader.clone / page.relative_to(ROOT)
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


def anchors(page: str) -> set[str]:
    """Return how a forge, and the site, call the headings of a page."""
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in HEADING.findall(page)}
