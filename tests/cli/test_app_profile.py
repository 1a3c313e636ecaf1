"""What `check` says of an `app_profile`, which it does not run."""

import pytest
from command import run

from pyrunner_airflow.cli.app_profile import check_profile
from pyrunner_airflow.tasklist import Options

STOCK = """\
#!/bin/bash
# as PyRunner's setup writes it; python -c 'import datetime; datetime.now()' is only a comment
export APP_ROOT_DIR="$(cd $(dirname ${BASH_SOURCE})/..; pwd)"
DATE=$(date +"%Y-%m-%d")  # not: env -i date
export APP_LOG_DIR="${APP_ROOT_DIR}/logs/${DATE}"
if [ ! -e ${APP_LOG_DIR} ]; then mkdir -p ${APP_LOG_DIR}; fi
"""


@pytest.fixture
def problems(tmp_path):
    """Return what is told of a profile: the code, line, column and text of each problem."""

    def problems(profile):
        (tmp_path / "app_profile").write_text(profile)
        found = check_profile(str(tmp_path / "my.lst"), Options())
        return [
            (each.code, each.line, each.text[each.column - 1 :][: each.length], each.message)
            for each in found
        ]

    return problems


class TestSyntax:
    @pytest.mark.parametrize(
        ("profile", "line", "said"),
        [
            ("export A=1\nelse\nB=2\n", 2, "syntax error near unexpected token `else'"),
            ("export A=1\nif true; then\n  B=2\n", 4, "syntax error: unexpected end of file"),
            ("A=1\nB='x\n", 2, "unexpected EOF while looking for matching `''"),
        ],
    )
    def test_what_bash_says_is_told_with_its_line(self, problems, profile, line, said):
        ((code, where, _, message),) = problems(profile)
        assert (code, where, message) == ("invalid-profile", line, f"bash can't read this profile: {said}")

    @pytest.mark.parametrize(
        "profile",
        [STOCK, "", "shopt -s extglob\nfor f in !(*.sh); do :; done\n", "exit 3", "no_such_command\n"],
    )
    def test_what_it_can_read_is_none_of_its_business(self, problems, profile):
        assert problems(profile) == []

    def test_without_a_profile_there_is_nothing_to_say(self, tmp_path):
        assert check_profile(str(tmp_path / "my.lst"), Options()) == ()

    def test_nothing_of_it_is_run(self, problems, tmp_path):
        problems(f"touch {tmp_path}/ran\nelse\n")
        assert not (tmp_path / "ran").exists()


class TestClock:
    @pytest.mark.parametrize(
        "command",
        [
            "env -i date +%F",
            "/usr/bin/env - PATH=/bin date",
            "env TZ=UTC /bin/date",
            "sudo date +%F",
            "ssh host date",
            "busybox date",
            "sh -c '/usr/bin/date +%F'",
            "echo +%F | xargs /bin/date",
            "command /bin/date",
            "command -p date",
            "builtin printf '%(%F)T'",
            "python3 -c 'import datetime; print(datetime.date.today())'",
            'python -c "import time; print(time.strftime(\\"%F\\"))"',
            "python3.11 -I -c 'import time; print(int(time.time()))'",
            "perl -MPOSIX -e 'print strftime \"%F\", localtime'",
            "ruby -e 'puts Time.now'",
            "node -e 'console.log(new Date())'",
            "php -r 'echo date(\"Y-m-d\");'",
            "awk 'BEGIN { print strftime(\"%F\") }'",
            "find /data -newermt yesterday",
            "find /data -mtime -1",
        ],
    )
    def test_what_asks_the_machine_for_the_time_is_a_warning(self, problems, command):
        ((code, line, text, _),) = problems(f"A=1\nexport APP_DAY=$({command})\n")
        assert (code, line) == ("unsteered-clock", 2)
        assert text in f"$({command}"

    @pytest.mark.parametrize(
        "command",
        [
            "date -d yesterday +%F",
            "/bin/date +%F",
            "$(command -v /bin/date) +%F",
            "command date +%F",
            "env date +%F",
            "env TZ=UTC date +%F",
            "sh -c 'date +%F'",
            "bash -c '/bin/date +%F'",
            "printf '%(%F)T' -1",
            "python3 -c 'import sys; print(sys.prefix)'",
            "python3 -c 'import time; time.sleep(1)'",
            "python3 make_dates.py -c now",
            "awk '{ print $1 }' dates",
            "find /data -name '*.csv'",
            "update --date now",
        ],
    )
    def test_what_tells_the_runs_time_or_none_is_not(self, problems, command):
        assert problems(f"export APP_DAY=$({command})\n") == []

    def test_nor_is_tidying_up_by_age(self, problems):
        assert problems('find "$APP_LOG_DIR" -mtime +30 -delete\n') == []

    @pytest.mark.parametrize("text", ["env -i ", "python -c ", "python -x", "awk ", "x -c", " #", "`find "])
    def test_a_long_line_is_read_in_time_that_grows_with_it(self, problems, text):
        assert problems(f": '{text * 100_000}'\n") == []


def test_a_list_without_a_way_to_run_is_told_by_check_and_by_run(tmp_path):
    (tmp_path / "app_profile").write_text("A=1\nfi\n")
    (tmp_path / "workers.py").write_text(
        "from pyrunner import Worker\nclass W(Worker):\n    def run(self): pass\n"
    )
    (tmp_path / "my.lst").write_text("1|-1|1|0|Start|workers|W||\n")
    told = (
        "app_profile:2:1: error[invalid-profile]: bash can't read this profile: syntax error near unexpected"
    )
    checked, ran = run("check", "my.lst", cwd=tmp_path), run("run", "my.lst", cwd=tmp_path)
    assert (checked.code, ran.code) == (1, 2)
    assert checked.out.startswith(told)
    assert ran.err.startswith(told)
