"""Reads lists with python-batch-runner itself, and makes lists that it reads as their author meant them."""

import re

from pyrunner.serde.list import ListSerDe

from pyrunner_airflow.tasklist import parse_lst

ENV = {
    "LOG_DIR": "/var/log/app",
    "DAY": "2024-01-31",
    "M": "etl",
    "W": "Load",
    "ÄÖ": "ü",
    "ONE": "1",
    "PAIR": "left,right",
}
"""What every ``$ENV{NAME}`` of these tests stands for."""


class Refused(Exception):
    """PyRunner ends with an error: its own, or an IndexError, a KeyError and the like."""


def pyrunner_rows(path):
    """Return what PyRunner would run: the columns of each row by ID."""
    try:
        register = ListSerDe().deserialize(str(path))
    except Exception as error:
        raise Refused(error) from error
    if not register:
        raise Refused("no register, which the engine takes for an error")
    return {
        node.id: {
            "parents": {parent.id for parent in node.parent_nodes} - {-1},
            "attempts": node.max_attempts,
            "wait": node.retry_wait_time,
            "name": node.name,
            "module": node.module,
            "worker": node.worker,
            "arguments": node.arguments,
            "logfile": node.logfile,
        }
        for node in register.pending_nodes
    }


def our_rows(text, variables=ENV):
    """Return what runs on Airflow, in the same form."""

    def resolve(text):
        return re.sub(r"\$ENV\{([^{}]*)\}", lambda match: variables.get(match[1], match[0]), text)

    return {
        row.id: {
            "parents": set(row.parent_ids),
            "attempts": row.max_attempts,
            "wait": row.retry_wait_time,
            "name": row.name,
            "module": resolve(row.module),
            "worker": resolve(row.worker),
            "arguments": [resolve(argument) for argument in row.arguments],
            "logfile": row.logfile and resolve(row.logfile),
        }
        for row in parse_lst(text).rows
    }


def generate(chance):
    """Return the text of a list that PyRunner reads right; `chance` is a `random.Random`.

    Parents come first, rows are few where they have many parents (PyRunner follows every path), blank
    fields are spaces, and quotes are balanced: what it gets wrong stands in test_lst_differential.py.
    """
    shape = chance.choice([_chain, _fan, _layers, _any_parents])(chance)
    ids = sorted(chance.sample(range(1, 5 * len(shape) + 1), len(shape)))
    if chance.random() < 0.5:
        chance.shuffle(ids)
    lines = [chance.choice(["#PYTHON", "", "  # Größe | a\"b's", "\t", "#AIRFLOW catchup = false"])]
    for id_, above in zip(ids, shape, strict=True):
        lines.append(_row(chance, id_, [ids[number] for number in above]))
        if chance.random() < 0.1:
            lines.append(chance.choice(["", "   ", "# comment", "\t#| x"]))
    end = chance.choice(["\n", "\r\n", "\r"])
    return end.join(lines) + chance.choice([end, ""])


def _chain(chance):
    return [[number - 1] if number else [] for number in range(chance.randint(1, 12))]


def _fan(chance):
    width = chance.randint(1, 8)
    return [[], *[[0]] * width, range(1, width + 1)]


def _layers(chance):
    width, depth = chance.randint(2, 3), chance.randint(1, 2)
    above = [range(width * layer, width * (layer + 1)) for layer in range(depth)]
    return [[]] * width + [parents for parents in above for _ in range(width)]


def _any_parents(chance):
    return [
        chance.sample(range(number), min(number, chance.randint(0, 2)))
        for number in range(chance.randint(1, 9))
    ]


_NAMES = [
    "Load Table",
    "Lädt 表",
    "a",
    '"a|b"',
    "'a|b' x",
    "x #1",
    "a,b",
    '5"6"',
    "a\tb",
    "É\u0301",
    "{{ x }}",
]
_ARGUMENTS = [
    "a",
    "1",
    "a b",
    '"a,b"',
    '"a|b"',
    "'a,b'",
    "'a|b'",
    'x"a,b"y',
    '" a "',
    '"it\'s"',
    "",
    " ",
    '""',
    "日",
]
_WITH_VARIABLE = ["$ENV{DAY}", "x_$ENV{DAY}$ENV{M}", "$ENV{ÄÖ}.csv", '"$ENV{DAY},b"']
_LOGFILES = ["/x.log", "$ENV{LOG_DIR}/ä b.log", "'x|y'.log"]


def _row(chance, id_, parents):
    arguments = [chance.choice(_ARGUMENTS) for _ in range(chance.randint(0, 4))]
    if chance.random() < 0.3:
        arguments.append(chance.choice(_WITH_VARIABLE))
    fields = [
        chance.choice([str(id_), f"0{id_}", f"+{id_}"]),
        chance.choice(["", "-1,"] if parents else ["-1"])
        + ",".join(_pad(chance, str(id_)) for id_ in parents),
        chance.choice(["1", "3", "007", " "]),
        chance.choice(["0", "60", "1_0", " "]),
        chance.choice(_NAMES),
        chance.choice(["workers", "etl.load", "wörk", "$ENV{M}", "etl.$ENV{M}"]),
        chance.choice(["Start", "_W", "$ENV{W}er"]),
        ",".join(arguments),
        chance.choice([*_LOGFILES, ""]),
    ]
    fields = fields[: chance.choice([7, 8, 9, 9, 9])]
    return "|".join(_pad(chance, field) for field in fields) + chance.choice(["", "|", "||", " | ", "\t"])


def _pad(chance, field):
    """Surround a field with blanks: with tabs only where PyRunner takes them off."""
    if not field.strip():
        return " "
    blanks = ["", " ", "  "] if {field[0], field[-1]} & {'"', "'", ",", " "} else ["", " ", "\t", " \t "]
    return chance.choice(blanks) + field + chance.choice(blanks)
