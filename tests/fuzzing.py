"""
Hostile lists by the ten thousand: each becomes a DAG that Airflow can store or an LstError, and none suffers.

``make fuzz``; or ``python -m tests.fuzzing COUNT [SEED]``, whose first line tells the seed.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pyrunner_airflow.tasklist import LstError, read_lst
from pyrunner_airflow.tasklist.schema import DagOptions, PyRunnerOptions, TaskOptions

LOADERS = Path(__file__).parents[1] / "dags"
AT_ONCE = 200  # lists in one folder
TABLES = {
    "": DagOptions,
    "default_args": TaskOptions,
    "tasks.1": TaskOptions,
    "tasks.2": TaskOptions,
    "pyrunner": PyRunnerOptions,
    "pyrunner.env": ("A", "PATH", "1A", "a b"),
    "pyrunner.cvar": ("day", "pyrunner.x", "a b"),
    "params": ("region", "from", "a b", "é"),
}
TEXTS = (
    *("", "a", "etl", "Europe/Berlin", "../../etc/passwd", "{{ ds }}", "{% if", "$ENV{PATH}", "::error::x"),
    *("a\\u0000b", "\\u001b[31m", "a\\nb", "\\u202e", "é" * 200, "a" * 251, "a" * 300, "a" * 3000, "a@b.c"),
    *("0 6 * * *", "@daily", "* * 31 2 *", "60 * * * *", "PT1H", "P999999D", "P999999999D", "CeleryExecutor"),
)
LITERALS = (
    *(
        "0",
        "1",
        "-1",
        "3.5",
        "inf",
        "nan",
        "true",
        "2147483647",
        "2147483648",
        "9223372036854775808",
        "9" * 400,
    ),
    *(
        "1970-01-01",
        "0001-01-01",
        "9999-12-31",
        "2026-03-29T02:30:00",
        "9999-12-31T23:59:59-12:00",
        "10:00:00",
    ),
)
GOOD = {
    "schedule": '"0 6 * * *"',
    "start_date": "2026-01-01",
    "tags": '["a"]',
    "params": '{ region = "eu" }',
    "timezone": '"Europe/Berlin"',
    "env": '{ A = "1" }',
    "cvar": "{ day = 1 }",
    "notify_email": '"ops@example.com"',
    "dagrun_timeout": "60",
    "execution_timeout": '"PT1H"',
    "priority_weight": "10",
    "outlets": '["s3://a"]',
    "default_args": '{ owner = "me" }',
    "pyrunner": "{ templates = false }",
    "tasks": '{ 1 = { queue = "q" } }',
}
FIELDS = (
    ("1", "2", "3", "01", "0", "-1", "999999999999999999", "9" * 50),
    ("-1", "1", "2", "1,2", "3", "1,1", "-1,2", ","),
    ("1", "", "3", "2147483647", "2147483648", "0"),
    ("0", "", "5", "2147483647", "-1"),
    ("n", "Load Table", "é" * 300, "it's", "日本", "\x1b[31m", "{{ ds }}", "a" * 3000, "::error::x"),
    ("workers", "a.b", "$ENV{M}", "os", "import", "../x", ""),
    ("W", "$ENV{W}", "class", "é", ""),
    ("", "a,b", "{{ ds }}", "{{ params.a }}", "{% for", '"a|b"', "$ENV{", "a\0b", "x" * 5000),
    ("", "/x.log", "$ENV{APP_LOG_DIR}/x.log", "{{ ds }}.log", "\x07"),
)
JUNK = "|\"'#$ENV{}[]=,.\n\r\t\0 0123456789abé\ufeff\u2028\ud800"


def text_of_list(chance: random.Random) -> str:
    """Return a list that is nearly right, or far from it."""
    lines = [f"#AIRFLOW {line}" for line in options(chance)] if chance.random() < 0.6 else []
    for number in range(1, chance.randint(1, 4)):
        good = (str(number), "-1", "1", "0", f"n{number}", "workers", "W", "", "")
        lines.append(
            "|".join(
                chance.choice(hostile) if chance.random() < 0.08 else plain
                for plain, hostile in zip(good, FIELDS, strict=True)
            )
        )
    text = chance.choice(("\n", "\n", "\r\n", "\r")).join(lines)
    for _ in range(chance.choice((0, 0, 0, 0, 1, 3))):  # here and there something else
        place = chance.randint(0, len(text))
        text = text[:place] + "".join(chance.choices(JUNK, k=chance.randint(1, 5))) + text[place + 1 :]
    return text


def options(chance: random.Random) -> Iterator[str]:
    """Yield lines of TOML."""
    for table in ["", *chance.sample(sorted(TABLES), chance.randint(0, 2))]:
        if table:
            yield f"[{table}]"
        known = TABLES[table]
        names = sorted(known if isinstance(known, tuple) else known.__annotations__)
        for name in chance.sample(names, min(len(names), chance.randint(0, 2))):
            key = name if name.isascii() and name.isidentifier() else repr(name)
            is_good = name in GOOD and chance.random() < 0.5
            yield f"{key} = {GOOD[name] if is_good else value(chance, 2)}"


def value(chance: random.Random, depth: int) -> str:
    """Return a value as TOML has it."""
    if depth and chance.random() < 0.2:
        items = [value(chance, depth - 1) for _ in range(chance.randint(0, 3))]
        if chance.random() < 0.5:
            return f"[{', '.join(items)}]"
        return f"{{ {', '.join(f'k{number} = {item}' for number, item in enumerate(items))} }}"
    return f'"{chance.choice(TEXTS)}"' if chance.random() < 0.6 else chance.choice(LITERALS)


def make(folder: Path, seed: int, number: int) -> Path:
    """Write the list of this number, and now and then a pyrunner.toml beside it."""
    chance = random.Random(f"{seed}.{number}")
    app = folder / str(number)
    app.mkdir()
    path = app / f"job_{number}.lst"
    path.write_bytes(text_of_list(chance).encode(errors="surrogatepass"))
    if chance.random() < 0.3:
        toml = "\n".join(options(chance))
        (app / "pyrunner.toml").write_bytes(toml.encode(errors="surrogatepass"))
    return path


def parse(path: Path) -> bool:
    """Say whether a file is a good list; anything but an LstError goes up."""
    try:
        return bool(read_lst(path).rows)
    except LstError as error:
        assert error.diagnostics
        assert str(error).isprintable() or "\n" in str(error)
        assert not set(str(error)) & set("\0\r\x1b\x07\u202e\u2028")
        return False


def load(folder: Path, good: set[str]) -> Counter[str]:
    """Have Airflow load the folder, and store what it found there; nobody's list may be missing."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.serialization.serialized_objects import DagSerialization

    for loader in LOADERS.glob("*.py"):
        (folder / loader.name).write_text(loader.read_text())
    bag = DagBag(folder)
    errors = {Path(file).name: text for file, text in bag.import_errors.items()}
    told = errors.pop("pyrunner_lst_errors.py", "")
    assert not errors, errors
    missing = {name for name in good - bag.dags.keys() if f"{name}.lst" not in told}
    assert not missing, f"neither a DAG nor an error: {missing}"
    assert good & bag.dags.keys() == bag.dags.keys(), bag.dags.keys() - good
    for dag in bag.dags.values():
        SerializedDagModel.hash(DagSerialization.to_dict(dag))
    return Counter(dags=len(bag.dags), refused=len(good) - len(bag.dags))


def main(count: int, seed: int) -> Counter[str]:
    """Try so many lists, and return how many of them came to what."""
    outcomes: Counter[str] = Counter()
    for first in range(0, count, AT_ONCE):
        with tempfile.TemporaryDirectory() as place:
            paths = [make(Path(place), seed, number) for number in range(first, min(first + AT_ONCE, count))]
            good = {path.stem for path in paths if parse(path)}
            with contextlib.redirect_stdout(io.StringIO()):  # Airflow's log
                outcomes += load(Path(place), good)
            outcomes["refused"] += len(paths) - len(good)
    return outcomes


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        wanted = int(sys.argv[1])
        seed = int(sys.argv[2]) if sys.argv[2:] else random.SystemRandom().randrange(10**9)
        print(f"{wanted} lists, seed {seed}", flush=True)
        print(dict(main(wanted, seed)))
