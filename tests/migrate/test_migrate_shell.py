"""What a line of shell starts, once all that only starts something else is taken off."""

import random

import pytest

from pyrunner_airflow.migrate.shell import Call, calls

PIECES = ["/srv/x.py", "./y.py", "cd", "/srv", "&&", "||", ";", "|", "(", ")", "$(", "`", "'", '"', "\\", "#"]
PIECES += [
    "-n",
    "4",
    "-c",
    "$X",
    "${X}",
    "${",
    "<",
    ">>",
    "2>&1",
    "<<<",
    "{",
    "}",
    "if",
    "fi",
    "é",
    "-",
    "--",
]
PIECES += ["flock", "sudo", "su", "bash", "env", "timeout", "10", "nice", "export", "A=1", '"$@"']


def words(line, known=None, script=""):
    return [list(call.words) for call in calls(line, Call((), None, {}, known or {}), script)]


@pytest.mark.parametrize(
    "line",
    [
        "x.py -r",
        "nohup x.py -r &",
        "nice -n 10 x.py -r",
        "nice -n10 ionice -c 3 x.py -r",
        "flock -n /tmp/l x.py -r",
        "flock -w 5 /tmp/l -c 'x.py -r'",
        "timeout -k 5 1h x.py -r",
        "sudo -u etl -E x.py -r",
        "sudo --user etl -- x.py -r",
        "su - etl -c 'x.py -r'",
        "su etl -s /bin/bash -c 'x.py -r'",
        "su -c 'x.py -r' etl",
        "runuser -u etl -- x.py -r",
        "env A=1 B=2 x.py -r",
        "/usr/bin/env -i x.py -r",
        "env - A=1 x.py -r",
        "nice -5 x.py -r",
        "flock --nonblock /tmp/l x.py -r",
        "bash --login -c 'x.py -r'",
        "su -l etl --command='x.py -r'",
        "bash -lc 'exec x.py -r'",
        "bash -o pipefail -c 'x.py -r'",
        "sh -c \"bash -c 'x.py -r'\"",
        "( x.py -r ) >> /var/log/x.log 2>&1",
        "{ x.py -r; }",
        "! x.py -r",
        "A=1 x.py -r",
        "export A=1; x.py -r",
        "cd /srv; x.py -r # every day",
        "x\\.py '-r'",
        "setsid stdbuf -oL time -p x.py -r",
        "OPT=-r; x.py $OPT",
        "x.py \\\n  -r",
    ],
)
def test_what_only_starts_something_is_taken_off(line):
    assert words(line) == [["x.py", "-r"]]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("a && b || c; d | e & f", [["a"], ["b"], ["c"], ["d"], ["e"], ["f"]]),
        ("a 'b && c' \"d; e\"", [["a", "b && c", "d; e"]]),
        ("a -n 4>>x", [["a", "-n"]]),  # as the shell takes it
        ("a -n 4 >> x", [["a", "-n", "4"]]),
        ("echo $HOME", [["echo", "$HOME"]]),
        ("a '$X' \"$X\"", [["a", "$X", "1"]]),
        ("rm $(find . -name '*.x')", [["rm", "$(find . -name '*.x')"]]),
        ("flock -n 9", [["flock", "-n", "9"]]),
        ("bash", [["bash"]]),
    ],
)
def test_its_words(line, found):
    assert words(line, {"X": "1"}) == found


@pytest.mark.parametrize(
    ("line", "folder"),
    [
        ("cd /srv && x.py", "/srv"),
        ("cd /srv; cd jobs; x.py", "/srv/jobs"),
        ("su - etl -c 'cd /srv && x.py'", "/srv"),
        ('cd "$(dirname "$0")" && x.py', "/opt/bin"),
        ("cd $(cd `dirname $0`/..; pwd); x.py", "/opt/bin/.."),
        ("x.py", None),
    ],
)
def test_where_it_is_started(line, folder):
    (call,) = calls(line, Call((), None, {}, {}), "/opt/bin/run.sh")
    assert call.folder == folder


def test_a_script_has_the_words_that_it_is_called_with():
    known = {"1": "feeds", "@": "feeds\0a b"}
    assert words('x.py $1 "$@"', known) == [["x.py", "feeds", "feeds", "a b"]]


@pytest.mark.parametrize("line", ["x 'y", 'x "y', "x `y", "x \\"])
def test_what_is_not_closed_is_an_error(line):
    with pytest.raises(ValueError, match="is not closed"):
        words(line)


def test_any_text_has_commands_or_an_error():
    choose = random.Random(3)
    for _ in range(2000):
        line = "".join(choose.choice(PIECES) + choose.choice(["", " "]) for _ in range(choose.randint(1, 20)))
        try:
            assert all(words(line))
        except ValueError as error:
            assert "is not closed" in str(error)
