"""Apps as teams have them, and crontabs that start them: what each line is to become stands above it."""

import itertools
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
DRIVERS = sorted(path.name for path in (HERE / "drivers").iterdir())
LISTS = {
    "archive": ["archive", "purge"],
    "billing": ["billing", "close_month", "quarter"],
    "claims": ["claims", "report"],
    "feeds": ["feeds", "nightly", "night", "random", "days", "weekend", "either", "late"],
}
SCRIPTS = {
    "bin/run_job.sh": """\
#!/bin/bash
# run_job.sh APP LIST
set -euo pipefail
BASE="$(cd "$(dirname "$0")/.."; pwd)"
APP=$1
cd "$BASE/$APP" || exit 1
exec pyrunner -c "config/app_profile" \\
    -l "config/$2.lst"
""",
    "bin/env.sh": "export ORACLE_HOME=/opt/oracle\n",
    "bin/start.py": """\
import sys
from pyrunner import PyRunner
PyRunner(proc_file=f"{sys.argv[1]}.lst").execute()
""",
    "feeds/nightly.sh": """\
#!/bin/sh
cd `dirname $0`
if [ ! -d /data ]; then
    echo "no data" >&2; exit 3
fi
export REGION=us
./feeds.py -l config/nightly.lst "$@"
""",
}


class Line(NamedTuple):
    expected: str
    number: int
    text: str


def lines(name):
    """Return the lines of a crontab that start something, with what they are to become."""
    text = (HERE / name).read_text().split("\n")
    return [
        Line(above[2:].strip(), number, line)
        for number, (above, line) in enumerate(itertools.pairwise(text), 2)
        if above.startswith("#=")
    ]


def make(folder):
    """Make the apps below `srv/jobs` and return that folder."""
    jobs = folder / "srv" / "jobs"
    for name in DRIVERS:
        for task_list in LISTS.get(name, [name]):
            write(
                jobs / name / "config" / f"{task_list}.lst",
                "1|-1|1|0|Load|workers|Load\n2|1|1|0|Tell|workers|Load\n",
            )
        write(jobs / name / "config" / "app_profile", f'export APP_NAME="{name}"\n')
        worker = "from pyrunner import Worker\n\n\nclass Load(Worker):\n    def run(self):\n        pass\n"
        write(jobs / name / "workers" / "workers.py", worker)
        write(jobs / name / f"{name}.py", (HERE / "drivers" / name).read_text())
    for path, text in SCRIPTS.items():
        write(jobs / path, text)
    return jobs


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
