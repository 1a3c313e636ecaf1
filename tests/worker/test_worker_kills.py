"""A worker's process that is killed at any moment loses nothing of what it had written to the context."""

import pytest

pytestmark = pytest.mark.slow

STRIKES = 50
BODY = """
def run(self):
    if not os.fork():
        for _ in range(random.randrange(100_000)): pass
        os.kill(os.getppid(), 9)
        os._exit(0)
    number = 0
    while True:
        number += 1
        if number % 7:
            self.context[f"k{number % 5}"] = number
        else:
            self.context.pop(f"k{number % 5}", None)
        noted.write(b"%d\\n" % number)
"""


def after(writes):
    """Return what the context holds after so many writes."""
    values = {}
    for number in range(1, writes + 1):
        if number % 7:
            values[f"k{number % 5}"] = number
        else:
            values.pop(f"k{number % 5}", None)
    return values


@pytest.mark.parametrize("strike", range(STRIKES))
def test_all_that_it_noted_is_there_and_nothing_older(run, root, strike):
    """It notes each write after it returned; the next one may have been made all the same."""
    ran = run(BODY, "import os, random\nnoted = open('noted', 'wb', buffering=0)")
    assert ran.code == 128 + 9
    noted = len((root / "noted").read_bytes().splitlines())
    assert ran.context in (after(noted), after(noted + 1))
