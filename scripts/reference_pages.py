"""The pages of docs/ that are made from the code: every option, command with its --help, public name.

    python -m scripts.reference_pages

writes them anew.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import click

import pyrunner_airflow
from pyrunner_airflow.cli.main import main
from scripts.schema_file import FILE

Schema = dict[str, Any]

DOCS = Path(__file__).parents[1] / "docs"
_MADE = "<!-- Made from the code: python -m scripts.reference_pages -->\n"
_ABOUT_OPTIONS = """\
Those of a list's `#AIRFLOW` lines and of `pyrunner.toml`. [Schedule and options](schedule.md) says how they
are written, and which one holds; `pyrunner-airflow schema` tells an editor the same.
"""
_ABOUT_COMMANDS = """\
What `--help` prints. [On the command line](command-line.md) says what each is for; `airflow pyrunner ...` is
the same.
"""
_ABOUT_NAMES = """\
What `from pyrunner_airflow import ...` gives. [Workers](workers.md) says what a Worker can rely on.
"""
_HEAD = "| option | what it is | what it may be |\n| --- | --- | --- |\n"
_WIDTH = 80
_A_YEAR = "^(197[1-9]|"  # as patterns of dates begin
# The tables of a document, and where the schema has what is in them.
_TABLES = {
    "Of the DAG": "DagOptions",
    "A role in `[access_control]`": "AccessOptions",
    "`[default_args]`, `[tasks.<ID>]`": "TaskOptions",
    "`[tasks.<ID>]` alone": "RowOptions",
    "`[pyrunner]`": "PyRunnerOptions",
    "`[tasks.<ID>.pyrunner]`": "RowPyRunnerOptions",
    "`notify_email` of `[pyrunner]`": "NotifyEmailOptions",
    "`[[pyrunner.notify]]`": "NotifierOptions",
    "`schedule`, by assets": "AssetScheduleOptions",
}
_KINDS = {"boolean": "`true` or `false`", "integer": "whole number", "number": "number", "string": "text"}


def options_page() -> str:
    """Return the page about every option: what the schema of ``pyrunner.toml`` says, in tables."""
    definitions = json.loads(FILE.read_text("utf-8"))["$defs"]
    parts = [f"# Every option\n\n{_MADE}\n{_ABOUT_OPTIONS}"]
    for title, name in _TABLES.items():
        rows = [
            f"| `{option}` | {schema['description']} | {_kind(schema, definitions)} |\n"
            for option, schema in definitions[name]["properties"].items()
            if name != "RowOptions" or option not in definitions["TaskOptions"]["properties"]
        ]
        parts.append(f"## {title}\n\n{_HEAD}{''.join(rows)}")
    return "\n".join(parts)


def _kind(schema: Schema, definitions: Schema) -> str:
    """Say in words what a part of the schema allows."""
    if parts := schema.get("anyOf", schema.get("oneOf")):
        return ", or ".join(_kind(part, definitions) for part in parts)
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("pattern", "").startswith(_A_YEAR):
        return "date, or date and time" + "".join(_limits(schema))
    if "$ref" in schema or schema["type"] == "object":
        return "table"
    if schema["type"] == "array":
        most = f", at most {schema['maxItems']}" if "maxItems" in schema else ""
        return f"array: {_kind(schema['items'], definitions)}{most}"
    return _KINDS[schema["type"]] + "".join(_limits(schema))


def _limits(schema: Schema) -> Iterator[str]:
    if "minimum" in schema:
        yield f" from {schema['minimum']:,}"
    if "exclusiveMinimum" in schema:
        yield f" of seconds above {schema['exclusiveMinimum']}"
    if "maximum" in schema:
        yield f", at most {schema['maximum']:,.0f}"
    if "maxLength" in schema:
        yield f" of at most {schema['maxLength']:,} characters"
    if "examples" in schema:
        yield f" such as {' or '.join(f'`{example}`' for example in schema['examples'])}"


def commands_page() -> str:
    """Return the page with the --help of each command."""
    group = click.Context(main, info_name="pyrunner-airflow", terminal_width=_WIDTH, **main.context_settings)
    parts = [f"# Every command\n\n{_MADE}\n{_ABOUT_COMMANDS}", _help(group, "pyrunner-airflow")]
    for name in main.list_commands(group):
        command = main.get_command(group, name)
        assert command is not None
        parts.append(_help(click.Context(command, parent=group, info_name=name), name))
    return "\n".join(parts)


def _help(context: click.Context, title: str) -> str:
    return f"## {title}\n\n```text\n{context.get_help().rstrip()}\n```\n"


def python_page() -> str:
    """Return the page with the docstring of each public name."""
    parts = [f"# From Python\n\n{_MADE}\n{_ABOUT_NAMES}"]
    for name in pyrunner_airflow.__all__:
        found = getattr(pyrunner_airflow, name)
        parts.append(f"## {name}\n\n```text\n{name}{_signature(found)}\n```\n\n{_described(found)}\n")
    return "\n".join(parts)


def _signature(found: Any) -> str:
    """Return what a function or a class takes; nothing where that is not for us, or for a caller, to say."""
    if inspect.isclass(found) and ("__init__" not in vars(found) or is_dataclass(found)):
        return ""
    return str(inspect.signature(found)).replace("'", "")


def _described(found: Any) -> str:
    """Return a docstring as Markdown."""
    text = re.sub(r":(?:attr|func|meth):`[~.]?(?:\w+\.)*(\w+)`", r"`\1`", inspect.getdoc(found) or "")
    text = re.sub(r"(?m)^:raises (\w+):", r"* raises `\1`", text)
    text = re.sub(r"(?m)^(?::(?:ivar|param) )?([a-z_]+): ", r"* `\1`: ", text)
    return re.sub(r"(?m)^Raises ", "\nRaises ", text)


PAGES = {"options.md": options_page, "commands.md": commands_page, "python.md": python_page}

if __name__ == "__main__":
    for page, text in PAGES.items():
        (DOCS / page).write_text(text(), "utf-8")
