"""What is released is the package and nothing else, and how it is released is beyond doubt."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import pyrunner_airflow

ROOT = Path(__file__).parents[1]
WORKFLOWS = {path.name: path.read_text() for path in (ROOT / ".github" / "workflows").glob("*.yml")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
VERSION = PROJECT["version"]
NOT_RELEASED = (".airflow-registry.yaml", ".ci/", ".github/", ".gitignore", ".pre-commit-hooks.yaml")
FIRST_RUN = """\
1  Greet  done       _
succeeded: 1 done
log: _
"""
METADATA = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "top_level.txt"}


def test_the_changelog_begins_with_the_version():
    assert re.search(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1] == VERSION


def test_the_version_stands_in_one_place():
    python = [path.read_text() for path in ROOT.glob("pyrunner_airflow/**/*.py")]
    assert [text for text in python if f'"{VERSION}"' in text] == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_is_valid_and_may_do_nothing_that_a_job_does_not_ask_for(name):
    workflow = yaml.safe_load(WORKFLOWS[name])
    assert workflow["permissions"] == {}
    assert True in workflow  # YAML 1.1 takes `on` for it
    for job in workflow["jobs"].values():
        assert job["permissions"]
        assert all(("uses" in step) != ("run" in step) for step in job["steps"])


@pytest.mark.parametrize("name", WORKFLOWS)
def test_actions_are_pinned_by_their_hash_with_their_version_beside_it(name):
    used = re.findall(r"uses: (.+)", WORKFLOWS[name])
    assert used
    assert [use for use in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)] == []


def test_what_the_workflows_make_is_a_target():
    targets = set(re.findall(r"^([\w-]+(?: [\w-]+)*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    targets = {target for line in targets for target in line.split()}
    made = {
        word
        for text in WORKFLOWS.values()
        for line in re.findall(r"run: make (.+)", text)
        for word in line.split()
    }
    assert made - {'"$TESTS"'} <= targets


def test_what_airflows_registry_is_told_of_is_public():
    told = yaml.safe_load((ROOT / ".airflow-registry.yaml").read_text())
    assert (told["package-name"], told["description"]) == (PROJECT["name"], PROJECT["description"])
    paths = [entry["module"] for kind in ("operators", "other") for entry in told[kind]]
    assert set(paths) <= {f"pyrunner_airflow.{name}" for name in pyrunner_airflow.__all__}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which `make dist` has been run."""
    clone = tmp_path_factory.mktemp("release") / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    subprocess.run(["make", "dist"], cwd=clone, check=True)
    return clone


@pytest.fixture(params=["constraints.txt", "constraints-3.4.txt"])
def call(request: pytest.FixtureRequest, clone: Path, tmp_path: Path) -> Callable[..., str]:
    """Call a command of an environment that has the wheel, what it needs, and nothing else."""
    (wheel,) = (clone / "dist").glob("*.whl")
    uvx = [clone / ".venv-dist/bin/uvx", "--constraints", clone / request.param]
    ours = ("AIRFLOW", "PYTHON")  # its environment is not that of these tests
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    env |= {"HOME": str(tmp_path), "XDG_STATE_HOME": str(clone.with_name("state"))}
    env |= {"UV_CACHE_DIR": str(clone.with_name("uv"))}

    def call(command: str, extra: str = "") -> str:
        done = subprocess.run(
            [*uvx, "--from", f"{wheel}{extra}", *command.split()],
            cwd=tmp_path,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return call


@pytest.mark.slow
def test_the_sample_runs_from_the_wheel_alone(call, clone, tmp_path):
    """With each Airflow's constraints; Airflow finds there what the package says of itself."""
    shutil.copytree(clone / "example_lst/my_sample_app", tmp_path / "my_sample_app")
    ran = call("pyrunner-airflow run my_sample_app/config/my_sample_app.lst", "[examples]")
    assert "\nsucceeded: 6 done\n" in ran
    assert VERSION in call("airflow providers get pyrunner-airflow", "[examples]")


@pytest.mark.slow
def test_a_first_run_needs_nothing_that_is_there_already(call):
    """With each Airflow: what a stranger types, and what is printed then."""
    shown = call("pyrunner-airflow init demo")
    assert "\n  pyrunner-airflow run demo " in shown
    ran = call("pyrunner-airflow run demo")
    assert re.sub(r"\d+\.\d s|/\S+", "_", ran) == FIRST_RUN


@pytest.mark.slow
def test_a_release_has_the_files_that_are_under_version_control(clone):
    """The sdist has all but what is for the forge, the wheel the package."""
    listed = subprocess.check_output(["git", "ls-files"], cwd=clone, text=True).splitlines()
    (sdist,), (wheel,) = (clone / "dist").glob("*.tar.gz"), (clone / "dist").glob("*.whl")
    name = f"pyrunner_airflow-{VERSION}"
    with tarfile.open(sdist) as archive:
        packed = {member.name.removeprefix(f"{name}/") for member in archive if member.isfile()}
    assert {path for path in packed if not path.startswith("pyrunner_airflow.egg-info/")} == {
        "PKG-INFO",
        *(path for path in listed if not path.startswith(NOT_RELEASED)),
    }
    with zipfile.ZipFile(wheel) as archive:
        assert set(archive.namelist()) == {
            *(path for path in listed if path.startswith("pyrunner_airflow/")),
            *(f"{name}.dist-info/{path}" for path in METADATA),
        }
