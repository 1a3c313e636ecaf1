"""`pyrunner-airflow migrate`."""

import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
from command import run
from pyrunner.core.constants import DRIVER_TEMPLATE

PAGE = (Path(__file__).parents[2] / "docs" / "moving.md").read_text()
FIXTURES = Path(__file__).parents[1] / "migrate"
LIST = "1|-1|1|0|Load|workers|Load\n2|1|1|0|Report|workers|Load\n"
WORKERS = "from pyrunner import Worker\n\n\nclass Load(Worker):\n    def run(self):\n        pass\n"


def blocks(language):
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [text for its_language, text in found if its_language == language]


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def jobs(tmp_path):
    """The folder of the apps of docs/moving.md, with the drivers of PyRunner's own setup."""
    jobs = tmp_path / "srv" / "jobs"
    (tmp_path / "dags").mkdir()
    for name in ("billing", "feeds", "stock"):
        write(jobs / name / f"{name}.py", DRIVER_TEMPLATE.format(app_name=name))
        write(jobs / name / "config" / "app_profile", f"export APP_NAME={name}\n")
        write(jobs / name / "config" / f"{name}.lst", LIST)
        write(jobs / name / "workers" / "workers.py", WORKERS)
    (jobs / "billing" / "config" / "close_month.lst").write_text(LIST)
    return jobs


@pytest.fixture
def migrate(tmp_path, jobs):
    """Runs the command with a crontab, on all apps."""

    def migrate(crontab, *options, apps=None):
        file = tmp_path / "crontab.txt"
        file.write_bytes(crontab if isinstance(crontab, bytes) else crontab.encode())
        folders = sorted(jobs.iterdir()) if apps is None else apps
        return run("migrate", *options, "crontab.txt", *folders, "--into", "dags", cwd=tmp_path)

    return migrate


@pytest.fixture
def options(tmp_path):
    return tmp_path / "dags" / "pyrunner.toml"


class TestThePage:
    def test_its_crontab_comes_to_its_toml(self, migrate, options):
        done = migrate(*blocks("crontab"))
        assert (done.code, done.err) == (0, "")
        assert options.read_text() == blocks("toml")[0]

    def test_its_second_line_comes_to_its_dag(self, migrate):
        (dag,) = (block for block in blocks("python") if "TriggerDagRunOperator" in block)
        assert f"\nstock_2.py, for the dags folder:\n\n{dag}" in migrate(*blocks("crontab")).out

    def test_its_driver_comes_to_its_table(self, migrate, jobs, options):
        (driver,) = (block for block in blocks("python") if "PyRunner(" in block)
        (jobs / "billing" / "billing.py").write_text(driver)
        done = migrate(*blocks("crontab"))
        (table,) = (block for block in blocks("toml") if "max_active_tasks = 2" in block)
        assert f"\n{table}" in options.read_text()
        (report,) = (block for block in blocks("") if block.startswith("billing/billing.py"))
        assert report in done.out

    def test_its_report(self, migrate):
        (report,) = (block for block in blocks("") if block.startswith("crontab.txt:8"))
        assert report in migrate(*blocks("crontab")).out


class TestWhatItWrites:
    def test_check_finds_no_problem_in_it(self, migrate, jobs, tmp_path, options):
        assert migrate(*blocks("crontab")).code == 0
        shutil.copytree(jobs, tmp_path / "dags", dirs_exist_ok=True)
        assert run("check", "dags", cwd=tmp_path).out == "No problems in 4 lists.\n"

    @pytest.mark.parametrize("crontab", ["crontab", "cron.d"])
    def test_check_finds_no_problem_in_what_sixty_lines_come_to(self, crontab, tmp_path):
        sys.path.insert(0, str(FIXTURES))
        from migrate_jobs import make

        folders = make(tmp_path)
        done = run("migrate", FIXTURES / crontab, *sorted(folders.iterdir()), "--into", folders)
        assert done.code == 0
        shown = run("check", "--ignore", "duplicate-name", folders)
        assert (shown.code, shown.out) == (0, "No problems in 23 lists.\n")

    def test_no_file_is_overwritten(self, migrate, options):
        options.write_text("mine")
        done = migrate("@daily /srv/jobs/feeds/feeds.py\n")
        assert (done.code, options.read_text()) == (2, "mine")
        assert "dags/pyrunner.toml: it is there already, and nothing is overwritten" in done.err

    def test_to_the_terminal(self, migrate, options):
        done = migrate(*blocks("crontab"), "--print")
        assert (done.code, done.out) == (0, blocks("toml")[0])
        assert "feeds.lst: its schedule" in done.err
        assert not options.exists()

    def test_lists_of_one_name_have_tables_named_after_their_paths(self, migrate, jobs, options):
        shutil.copy(jobs / "feeds/config/feeds.lst", jobs / "stock/config/feeds.lst")
        migrate("@daily /srv/jobs/feeds/feeds.py\n")
        assert tomllib.loads(options.read_text()) == {"feeds/config/feeds.lst": {"schedule": "@daily"}}

    def test_text_of_any_kind(self, migrate, options):
        migrate("0 6 * * * /srv/jobs/feeds/feeds.py --env 'NAME=a\"b\\c \u00e9\U0001f600'\n")
        found = tomllib.loads(options.read_text())["feeds.lst"]["pyrunner"]["env"]
        assert found == {"NAME": 'a"b\\c \u00e9\U0001f600'}

    def test_what_no_list_may_have_is_left_to_the_reader(self, migrate, options):
        done = migrate("0 6 * * * /srv/jobs/feeds/feeds.py --env 'NAME=\x7f' --env a-b=c\n")
        assert tomllib.loads(options.read_text()) == {"feeds.lst": {"schedule": "0 6 * * *"}}
        assert (
            "by hand: --env NAME: it can't be [pyrunner] env: It contains the control character" in done.out
        )
        assert "by hand: --env a-b: it can't be [pyrunner] env" in done.out


class TestBadInput:
    @pytest.mark.parametrize(
        ("crontab", "message"),
        [
            (
                "\n0 25 * * * /x\n",
                "crontab.txt:2:1: error[invalid-crontab]: cron refuses '0 25 * * *': one of its numbers",
            ),
            ("  0 6 * *\n", "crontab.txt:1:3: error[invalid-crontab]: cron refuses '0 6 * *': it is neither"),
            (
                "0 6 * * *  \n",
                "crontab.txt:1:1: error[invalid-crontab]: cron refuses '0 6 * * *': it is neither",
            ),
            ("@dayly /x\n", "Did you mean @daily or"),
            ("0 0 * foo * /x\n", "'foo' is the name of nothing there"),
            (b"0 6 * * * /caf\xe9\n", "crontab.txt:1:15: error[not-utf8]"),
        ],
    )
    def test_is_told_with_its_place_and_nothing_is_written(self, migrate, options, crontab, message):
        done = migrate(crontab)
        assert (done.code, done.out) == (2, "")
        assert message in done.err
        assert not options.exists()

    def test_all_bad_lines_are_told_at_once(self, migrate):
        assert migrate("x\n@daily /y\n0 24 * * * /z\n").err.count("error[") == 2

    def test_no_crontab(self, tmp_path, jobs):
        done = run("migrate", "gone", jobs / "feeds", "--into", "dags", cwd=tmp_path)
        assert done.code == 2
        assert "gone: error[unreadable-file]: the file can't be read" in done.err

    def test_a_folder_that_is_not_there(self, migrate):
        assert "'gone' does not exist" in migrate("", apps=["gone"]).err

    def test_an_app_without_lists(self, migrate, tmp_path):
        (tmp_path / "empty").mkdir()
        done = migrate("@daily /empty/x.py\n", apps=["empty"])
        assert "made no file" in done.out
        assert "starts no PyRunner that can be seen" in done.out


class TestWhatItSays:
    def test_of_secrets_only_the_name(self, migrate, options):
        done = migrate(
            "DB_PASSWORD=8-secret\n"
            "0 6 * * * API_TOKEN=9-secret /srv/jobs/feeds/feeds.py --env KEY_PASS=7-secret\n"
            "0 7 * * * curl https://me:6-secret@example.com/\n"
        )
        assert "secret" not in re.sub("looks like a secret", "", done.out + options.read_text())
        assert done.out.count("looks like a secret") == 3

    def test_without_a_time_zone(self, migrate):
        assert (
            "by hand: no CRON_TZ: cron went by the server's time zone"
            in migrate("@daily /srv/jobs/feeds/feeds.py\n").out
        )

    def test_tz_is_not_cron_s_time_zone(self, migrate, options):
        done = migrate("TZ=Asia/Tokyo\n@daily /srv/jobs/feeds/feeds.py\n")
        assert "no CRON_TZ" in done.out
        assert tomllib.loads(options.read_text())["feeds.lst"]["pyrunner"] == {"env": {"TZ": "Asia/Tokyo"}}

    def test_an_unknown_time_zone(self, migrate, options):
        done = migrate("CRON_TZ=Mars/Base\n@daily /srv/jobs/feeds/feeds.py\n")
        assert "by hand: Mars/Base: it can't be [pyrunner] timezone" in done.out

    def test_what_a_profile_and_a_driver_set_holds_for_a_list_that_no_line_starts(
        self, migrate, jobs, options
    ):
        driver = jobs / "stock/stock.py"
        driver.write_text(
            driver.read_text().replace("  sys.exit", "  app.config['max_procs'] = 3\n  sys.exit")
        )
        (jobs / "stock/config/app_profile").write_text('export APP_EMAIL="a@b.c" # ours\nAPP_MAX_PROCS=9\n')
        done = migrate("")
        assert "no line starts it" in done.out
        assert tomllib.loads(options.read_text())["stock.lst"] == {
            "max_active_tasks": 3,
            "pyrunner": {"notify_email": {"to": ["a@b.c"]}},
        }

    def test_lists_that_no_line_starts(self, migrate):
        assert "stock/config/stock.lst\n    no line starts it: a DAG without a schedule" in migrate("").out
