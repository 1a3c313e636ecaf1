"""A driver: what it does besides starting its list, read from its source without running it."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from pyrunner_airflow.check.modules import last_name
from pyrunner_airflow.check.source import Source, bindings, walk
from pyrunner_airflow.migrate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BLOCKS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_NEEDLESS = (ast.Import, ast.ImportFrom, ast.Pass, ast.Global, ast.Nonlocal)
_RUNS = ("execute", "run")
_NOTIFIER = "a callback of a PyRunnerDag; Airflow has notifiers for mail, Slack and others"
_PART = "a parameter of the run; for good, a list of its own with fewer rows"
_COUNTERPARTS = {
    "on_success": "on_success_callback of a PyRunnerDag, in a Python file",
    "on_fail": "on_failure_callback of a PyRunnerDag, in a Python file",
    "on_destroy": "on_success_callback and on_failure_callback of a PyRunnerDag, in a Python file",
    "on_create on_start": "a first row, or a task before the first rows of a PyRunnerDag",
    "on_restart": 'nothing: a row can see self.airflow["ti"].try_number',
    "add_node": "rows of a .lst, which the same code may write; or Airflow's own operators",
    "notification plugin_notification": _NOTIFIER,
    "plugin_serde": "nothing: the list must be a .lst or JSON",
    "exec_only exec_from exec_to exec_disable": _PART,
}
_METHODS = {name: text for names, text in _COUNTERPARTS.items() for name in names.split()}
"""What PyRunner's methods become."""
_ENVIRONMENT = "[pyrunner] env, or the environment of Airflow's services"
_OWN_CODE = "code of its own: the work of a row, or of a task beside the rows of a PyRunnerDag"
_COMPUTED = {"config": "choose one value", "context": "the work of the first row", "environ": _ENVIRONMENT}
_ELSEWHERE = {
    "sys.path.": "modules from another folder: APP_WORKER_DIR in the profile, or a package that is installed",
    "os.environ.": _ENVIRONMENT,
    "os.chdir": "[pyrunner] cwd",
}
_QUESTIONS = frozenset(("argv", "ArgumentParser", "OptionParser", "getopt", "input"))
# They print, or make values that are seen where they are used.
_PLAIN = frozenset(
    """
    abspath absolute add_argument ArgumentParser basename basicConfig debug dict dirname enumerate error
    exception exit expanduser expandvars float format get getcwd getenv getLogger info int isfile join len
    list normpath parse_args Path print print_exc range realpath resolve str SystemExit tuple warning zip
    """.split()  # noqa: SIM905
)
_DEEPEST = 20
UNKNOWN = "\ue000"
"""Stands for what is not known of a text: a character that nobody writes."""


class Driver(Settings):
    """
    What a file of Python sets for PyRunner; of PyRunner's own template there is nothing to say.

    :ivar is_one: whether PyRunner is started in it.
    :ivar path: of its list, with `UNKNOWN` for what is not known of it; "" if it names none.
    """

    def __init__(self, file: str) -> None:
        super().__init__()
        source = Source(file)
        nodes = list(walk(source.tree, is_deep=True))
        aliases = (node for node in nodes if isinstance(node, ast.alias) and node.name == "PyRunner")
        names = {"PyRunner", *(alias.asname or "" for alias in aliases)}
        classes = (node for node in nodes if isinstance(node, ast.ClassDef))
        own = [node for node in classes if not names.isdisjoint(map(last_name, node.bases))]
        names |= {node.name for node in own}
        self._calls = {node for node in nodes if isinstance(node, ast.Call) and last_name(node.func) in names}
        assigned = (node for node in nodes if isinstance(node, ast.Assign) and node.value in self._calls)
        self._apps = {last_name(target) for node in assigned for target in node.targets}
        self._executed = False
        self.is_one = bool(self._calls) or (bool(source.error) and "PyRunner" in source.text)
        blocks = [node for node in nodes if isinstance(node, _BLOCKS) and self._starts_in(node)]
        self._plain = _PLAIN | {block.name for block in blocks}
        self._names: dict[str, Any] = {}
        for name, node, _ in (found for block in (source.tree, *blocks) for found in bindings(block)):
            self._names[name] = None if name in self._names else getattr(node, "value", None)
        if isinstance(source.error, SyntaxError):
            place = source.place(source.error)
            text = f"what it does can't be known: column {place.column}: {source.error.msg}"
            self.leave(text, place.line)
        elif self.is_one:
            self._read(source.tree.body, True)
            for node in own:
                self._note("a class of its own for PyRunner: callbacks of a PyRunnerDag, or rows", node)
            for node in nodes:
                if isinstance(node, ast.Attribute | ast.Name) and last_name(node) in _QUESTIONS:
                    self._note('parameters of the run, self.airflow["params"]', node)
        self.notes = sorted(dict.fromkeys(self.notes), key=lambda note: note.line)

    def _is_app(self, node: ast.AST) -> bool:
        return node in self._calls or (isinstance(node, ast.expr) and last_name(node) in self._apps)

    def _is_execute(self, node: ast.AST) -> bool:
        match node:
            case ast.Call(ast.Attribute(app, name)):
                return name in _RUNS and self._is_app(app)
        return False

    def _starts_in(self, node: ast.AST) -> bool:
        return any(part in self._calls or self._is_execute(part) for part in ast.walk(node))

    def _note(self, text: str, node: ast.AST) -> None:
        self.leave(text, getattr(node, "lineno", 0))

    def _read(self, body: Iterable[ast.AST], is_certain: bool) -> None:
        """Look at statements; those that are not reached in any case are not certain."""
        for node in body:
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    self._read(node.body if self._starts_in(node) else (), is_certain)
                case ast.If() | ast.Try() | ast.With() | ast.For() | ast.While() | ast.ExceptHandler():
                    test = getattr(getattr(node, "test", None), "left", None)
                    is_main = isinstance(test, ast.Name) and test.id == "__name__"
                    is_reached = is_certain and (is_main or isinstance(node, ast.Try | ast.With))
                    for part in ast.iter_child_nodes(node):
                        handles = isinstance(part, ast.ExceptHandler) or part in getattr(node, "orelse", ())
                        self._read([part], is_reached and not handles)
                case _ if not isinstance(node, _NEEDLESS):
                    self._look(node, is_certain)

    def _look(self, node: ast.AST, is_certain: bool) -> None:
        """Look at a statement with nothing in it but expressions."""
        match node:
            case ast.Assign(targets=[ast.Subscript(ast.Attribute(owner, what), key)], value=value) | ast.Expr(
                ast.Call(ast.Attribute(ast.Attribute(owner, what), "set"), [key, value])
            ) if what == "environ" or (what in _COMPUTED and self._is_app(owner)):
                self._take(what, key, value, is_certain)
            case ast.Assign(targets=[ast.Attribute(app, name)], value=value) if self._is_app(app):
                if name in ("proc_file", "config_file"):
                    self._take("config", ast.Constant(name), value, is_certain)
                else:
                    self._note(f"{name}: {_METHODS.get(name, _OWN_CODE)}", node)
            case ast.Expr(ast.Call(ast.Attribute(app, name))) if self._is_app(app) and name not in _RUNS:
                self._note(f"{name}(): {_METHODS.get(name, _OWN_CODE)}", node)
            case _:
                self._look_at_calls(node)

    def _look_at_calls(self, node: ast.AST) -> None:
        """Look at what sets nothing of PyRunner: whether it starts it, or does something else."""
        for call in (part for part in ast.walk(node) if isinstance(part, ast.Call)):
            if call in self._calls:
                for keyword in call.keywords:
                    if keyword.arg != "parse_args":
                        self._take("config", ast.Constant(keyword.arg), keyword.value, True)
            elif self._is_execute(call):
                if self._executed:
                    self._note("a second list after the first: TriggerDagRunOperator, or one list", call)
                self._executed = True
            elif last_name(call.func) not in self._plain:
                name = ast.unparse(call.func)
                known = (text for start, text in _ELSEWHERE.items() if name.startswith(start))
                self._note(next(known, _OWN_CODE), node)

    def _take(self, what: str, key: ast.expr, node: ast.expr, is_certain: bool) -> None:
        """Take over one of PyRunner's settings, a value of the context, or a variable."""
        name, value = self._text(key), self._value(node)
        if (what, name) == ("config", "proc_file"):
            before, self.path = self.path, self._text(node)
            if before not in ("", self.path):
                self._note("another list than before: which one it starts can't be known", node)
                self.path = UNKNOWN
        elif (what, name) == ("config", "config_file"):
            if not self._text(node).endswith("app_profile"):
                self._note("config_file: a profile is called app_profile, and lies beside its list", node)
        elif value is None or UNKNOWN in name or not is_certain:
            told = f"{what}['{name}']".replace(UNKNOWN, "...")
            self._note(f"{told} is computed, or set under a condition: {_COMPUTED[what]}", node)
        elif what == "config":
            self.set(name, value, name, node.lineno)
        else:
            path = ("pyrunner", "cvar" if what == "context" else "env", name)
            self.put(path, value, f"{what}[{name!r}]", node.lineno)

    def _value(self, node: ast.expr) -> Any:
        """Return the value of an expression; None if it is computed."""
        node = self._names.get(node.id) or node if isinstance(node, ast.Name) else node
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            text = self._text(node)
            return None if UNKNOWN in text else text

    def _text(self, node: ast.AST | None, depth: int = 0) -> str:
        """Return the text of an expression, with `UNKNOWN` for what is not known."""

        def text(part: ast.AST | None) -> str:
            return self._text(part, depth + 1)

        match node if depth < _DEEPEST else None:
            case ast.Constant(value):
                return str(value)
            case ast.Name(name):
                return text(self._names.get(name))
            case ast.FormattedValue(part, -1, None) | ast.Call(ast.Name("str" | "Path"), [part]):
                return text(part)
            case ast.JoinedStr(parts):
                return "".join(map(text, parts))
            case ast.BinOp(left, ast.Add(), right):
                return text(left) + text(right)
            case ast.BinOp(left, ast.Div(), right):
                return f"{text(left)}/{text(right)}"
            case ast.Call(ast.Attribute(attr="join"), [_, _, *_] as parts):
                return "/".join(map(text, parts))
            case ast.BinOp(ast.Constant(str(form)), ast.Mod(), right):
                return _fill(form, "%s", map(text, getattr(right, "elts", [right])))
            case ast.Call(ast.Attribute(ast.Constant(str(form)), "format"), parts):
                return _fill(form, "{}", map(text, parts))
        return UNKNOWN


def _fill(form: str, place: str, texts: Iterator[str]) -> str:
    """Return a text with others at its places; what else is to be filled in, or has no text, is not known."""
    return re.sub(r"%.|\{.*?\}", lambda m: next(texts, UNKNOWN) if m[0] == place else UNKNOWN, form)
