"""Options at their limits, and just beyond: what Airflow's databases and its scheduler have room for."""

import json

IDS = range(1, 9)
ROWS = "".join(f"{id_}|{id_ - 1 or -1}|1|0|N|workers|Work\n" for id_ in IDS)
MAX = 2**31 - 1
WEIGHT = MAX // len(IDS)
SCHEDULED = 'schedule = "@daily"\ncatchup = true'  # so that the first run is at the start date


def text(length, character="ß"):
    return f'"{character * length}"'


def tags(count):
    return [str(number) for number in range(count)]


def params(length):
    return f"{{ a = {text(length - len(json.dumps({'a': ''})), 'x')} }}"


def months(count):
    return '"0 0 1 ' + ",".join(["1-2"] * count) + ' 1"'


def owners(last):
    """Eight owners, of which the last has so many letters and the others the most that they may have."""
    return "\n".join(
        f"[tasks.{id_}]\nowner = {text(last if id_ == IDS[-1] else 208, chr(0x3B0 + id_))}" for id_ in IDS
    )


def limit(option, at, beyond, table=None):
    heading = f"[{table}]\n" if table else ""
    return f"{heading}{option} = {at}", f"{heading}{option} = {beyond}"


def of_tasks(option, at, beyond):
    return limit(option, at, beyond, "default_args")


def of_pyrunner(option, at, beyond):
    return limit(option, at, beyond, "pyrunner")


# Options at a limit, and just beyond it.
LIMITS = {
    "description": limit("description", text(10_000), text(10_001)),
    "description of several lines": limit("description", r'"a\t\r\nb"', r'"a\u0000b"'),
    "first start": limit(f"{SCHEDULED}\nstart_date", "1971-01-01", "1970-12-31"),
    "last start": limit(f"{SCHEDULED}\nstart_date", "2037-12-31T23:59:59-12:00", "2038-01-01"),
    "end": limit(f"{SCHEDULED}\nend_date", "2999-12-31T23:59:59-12:00", "3000-01-01"),
    "schedule": limit("schedule", months(11), months(12)),
    "runs": limit("max_active_runs", MAX, MAX + 1),
    "tasks": limit("max_active_tasks", MAX, MAX + 1),
    "timeout": limit("dagrun_timeout", '"P10000D"', '"P10001D"'),
    "tag": limit("tags", f"[{text(100)}]", f"[{text(101)}]"),
    "tags": limit("tags", tags(100), tags(101)),
    "tag of one line": limit("tags", '["a b"]', r'["a\nb"]'),
    "parameters": limit("params", params(100_000), params(100_001)),
    "parameter's name": limit("params", f"{{ {text(250)} = 1 }}", f"{{ {text(251)} = 1 }}"),
    "parameter's text": limit("params.a", r'[{ b = "\n" }]', r'[{ b = "\u0000" }]'),
    "parameter's number": limit("params.a", 2**63 - 1, 2**63),
    "owner": of_tasks("owner", text(250), text(251)),
    "owner of one line": of_tasks("owner", '"a b"', r'"a\u001bb"'),
    "owners": (owners(230), owners(231)),
    "pool": of_tasks("pool", text(250), text(251)),
    "queue": of_tasks("queue", text(250), text(251)),
    "user": of_tasks("run_as_user", text(250), text(251)),
    "slots": of_tasks("pool_slots", MAX, MAX + 1),
    "instances": of_tasks("max_active_tis_per_dag", MAX, MAX + 1),
    "backoff": of_tasks("retry_exponential_backoff", MAX, MAX + 1),
    "task's timeout": of_tasks("execution_timeout", '"P10000D"', 1e300),
    "wait": of_tasks("max_retry_delay", '"P10000D"', 1e300),
    "asset": limit("outlets", f'["x://{"a" * 996}"]', f'["x://{"a" * 997}"]', "tasks.2"),
    "weights": of_tasks("priority_weight", WEIGHT, WEIGHT + 1),
    "weights below 0": of_tasks("priority_weight", -WEIGHT, -WEIGHT - 1),
    "one weight": limit("priority_weight", MAX - 7, MAX - 6, "tasks.2"),
    "python": of_pyrunner("python", text(4000), text(4001)),
    "app's root": of_pyrunner("app_root", text(4000), text(4001)),
    "folder": of_pyrunner("cwd", text(4000), text(4001)),
    "variable": of_pyrunner("env.A", r'"a\n\tb"', r'"\u0000"'),
    "context": of_pyrunner("cvar.A", r'["a\n\tb"]', r'["\u0000"]'),
    "address": of_pyrunner("notify_email", '"a@b"', r'"a@b\n"'),
}


def lists(which):
    """Return the text of a list for each limit, by its name: at it (0), or beyond it (1)."""
    return {
        name: "".join(f"#AIRFLOW {line}\n" for line in options[which].splitlines()) + ROWS
        for name, options in LIMITS.items()
    }
