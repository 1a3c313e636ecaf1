"""Lets another interpreter encode and decode values: it has the package, under whatever name, and no more."""

import json
import subprocess
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "pyrunner_airflow"
HEAD = """
import json, sys
sys.path[:0] = sys.argv[1:]
from of_another_name.values import Allowed, Codec, ContextValueError
CODEC = Codec(Allowed(["values_there.*"], []))
"""


def run_elsewhere(python, folder, source, sent=None):
    """
    Run source in an interpreter and return what it prints last, as JSON.

    :param folder: where the package lies there, and modules that only it has.
    :param sent: JSON that the source finds on its standard input.
    """
    link = folder / "of_another_name"
    if not link.exists():
        link.symlink_to(PACKAGE)
    command = [python, "-I", "-B", "-c", HEAD + source, str(folder)]
    ran = subprocess.run(command, input=json.dumps(sent), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])
