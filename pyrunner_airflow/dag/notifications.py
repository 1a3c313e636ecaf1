"""What tells of the end of a run: the mail of ``notify_email``, and the notifiers of ``notify``."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib import import_module
from typing import Any, NamedTuple
from urllib.parse import quote

from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import BaseNotifier, conf

from pyrunner_airflow.tasklist import FAILURE_KEY, LstError, Notification

_MAX_ROWS = 200
_MAX_LOGS = 20
"""How many of them have the end of their log in a mail."""
_MAX_TEXT = 30_000
"""What a task keeps is shorter."""
_NO_REASON = "It told no reason: its log says more."


def notifier(wanted: Notification) -> BaseNotifier:
    """
    Return the notifier that a list asks for.

    :raises LstError: where it can't be imported or made here, or is none.
    """
    module, _, name = wanted.notifier.rpartition(".")
    try:
        cls = getattr(import_module(module), name)
        if not (isinstance(cls, type) and issubclass(cls, BaseNotifier)):
            raise TypeError("no subclass of airflow.sdk.BaseNotifier")
        return cls(**wanted.arguments)
    except Exception as error:  # whatever an import or a constructor may raise
        hint = f"{wanted.notifier} is not to be had here: {error!r:.500}"
        raise LstError((wanted.refused._replace(hint=hint),)) from error


class RunEmail(BaseNotifier):
    """
    The mail about the end of a run: the rows that did not succeed, why, and the end of their logs.

    It is sent through Airflow's SMTP connection (``[email] email_conn_id``), which also says from whom.

    :param to: addresses.
    :param ended: how the run ended: ``succeeded`` or ``failed``.
    """

    def __init__(self, to: list[str], ended: str) -> None:
        super().__init__()
        self.to = to
        self.ended = ended

    def notify(self, context: Any) -> None:
        """Send the mail; called by Airflow's DAG processor."""
        name = context["dag"].dag_display_name
        # A new one for each mail: Airflow renders the fields of one that it calls, and in these stand logs.
        mail = SmtpNotifier(
            to=self.to,
            subject=f"{name} {self.ended}: {context['run_id']}",
            html_content=_content(f"{name} {self.ended}", context),
        )
        mail.notify(context)


class _Row(NamedTuple):
    """A row that did not succeed."""

    id: int
    name: str
    task_id: str
    state: str
    told: Mapping[str, Any]
    """What its task has kept for the mail, if anything; whoever may edit XComs may have written it."""

    def text(self, name: str, otherwise: str = "") -> str:
        """Return a text of these as HTML."""
        return escape(str(self.told.get(name) or otherwise)[:_MAX_TEXT])


def _content(what: str, context: Any) -> str:
    """Return the mail as HTML."""
    dag, run_id = context["dag"], context["run_id"]
    run = ("dags", dag.dag_id, "runs", run_id)
    lines = [f"<p>{escape(what)} in run {_link(run_id, *run)}.</p>"]
    unsuccessful = _unsuccessful(context)
    rows = [_row(context, *each) for each in unsuccessful[:_MAX_ROWS]]
    if rows:
        lines.append("<table><tr><th>ID</th><th>PROCESS_NAME</th><th>state</th><th>why</th></tr>")
        for row in rows:
            is_failed = row.state == "failed"
            name = _link(row.name, *run, "tasks", row.task_id) if is_failed else escape(row.name)
            why = row.text("line", _NO_REASON) if is_failed else ""
            cells = (str(row.id), name, row.state, why)
            lines.append(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
        lines.append("</table>")
    if len(unsuccessful) > len(rows):
        lines.append(f"<p>And {len(unsuccessful) - len(rows)} more.</p>")
    with_log = [row for row in rows if row.told.get("log")]
    for row in with_log[:_MAX_LOGS]:
        place = f"LOGFILE {row.text('logfile', 'none')} on {row.text('host')}"
        log = _link("log", *run, "tasks", row.task_id)
        lines.append(f"<h3>{row.id} {escape(row.name)}</h3><p>{place}; the end of its {log}:</p>")
        lines.append(f"<pre>{row.text('log')}</pre>")
    return "\n".join(lines)


def _link(text: str, *path: str) -> str:
    """Return a text that leads to a page of Airflow's UI, if Airflow has been told where that is."""
    base = conf.get("api", "base_url", fallback=None)
    if not base:
        return escape(text)
    url = "/".join([base.rstrip("/"), *(quote(part, safe="") for part in path)])
    return f'<a href="{escape(url)}">{escape(text)}</a>'


def _unsuccessful(context: Any) -> list[tuple[Any, str]]:
    """Return the tasks of rows that neither succeeded nor were skipped, with their states; failed first."""
    ti = context.get("ti")
    if ti is None:  # Airflow tells the callback of no task where the last one is gone from the DAG
        return []
    dag, run_id = context["dag"], context["run_id"]
    states = ti.get_task_states(dag.dag_id, run_ids=[run_id])[run_id]
    found = [(task, states.get(task.task_id) or "not run") for task in dag.tasks if hasattr(task, "row")]
    found = [(task, state) for task, state in found if state not in ("success", "skipped")]
    return sorted(found, key=lambda each: each[1] != "failed")


def _row(context: Any, task: Any, state: str) -> _Row:
    told = None
    if state == "failed":
        told = context["ti"].xcom_pull(task_ids=task.task_id, key=FAILURE_KEY)
    return _Row(task.row.id, task.row.name, task.task_id, state, told if isinstance(told, dict) else {})
