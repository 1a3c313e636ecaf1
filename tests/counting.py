"""How much work something is, by a measure that is the same on every machine."""

import sys


def count_calls(work, *arguments):
    """Count the calls of Python functions and of others that a function makes."""
    count = 0

    def profile(_frame, event, _argument):
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(profile)
    try:
        work(*arguments)
    finally:
        sys.setprofile(None)
    return count
