"""The mail that ``notify_email`` asks for when a run ends."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import conf

from pyrunner_airflow.dag.report import FAILURE_KEY


class RunEmail(SmtpNotifier):
    """
    Airflow's own mail about the end of a run, naming the rows that did not succeed, and why.

    It is sent through Airflow's SMTP connection (``[email] email_conn_id``), which also says from whom.

    :param to: addresses.
    :param ended: how the run ended: ``succeeded`` or ``failed``.
    """

    def __init__(self, to: list[str], ended: str) -> None:
        super().__init__(to=to)
        self.ended = ended

    def notify(self, context: Any) -> None:
        """Send the mail; called by Airflow's DAG processor."""
        dag, run_id = context["dag"], context["run_id"]
        url = f"{conf.get('api', 'base_url', fallback='').rstrip('/')}/dags/{dag.dag_id}/runs/{run_id}"
        self.subject = f"{dag.dag_display_name} {self.ended}: {run_id}"
        rows = "".join(
            f"<tr><td>{task.row.id}</td><td>{escape(task.row.name)}</td><td>{state}</td>"
            f"<td>{escape(failure)}</td></tr>"
            for task, state, failure in _unsuccessful(context)
        )
        head = "<tr><th>ID</th><th>PROCESS_NAME</th><th>state</th><th></th></tr>"
        table = f"<table>{head}{rows}</table>" if rows else ""
        self.html_content = (
            f"<p>{escape(dag.dag_display_name)} {self.ended} in run "
            f'<a href="{escape(url)}">{escape(run_id)}</a>.</p>{table}'
        )
        super().notify(context)


def _unsuccessful(context: Any) -> Iterator[tuple[Any, str, str]]:
    """Yield the rows that neither succeeded nor were skipped, with their states, and why they failed."""
    ti = context.get("ti")
    if ti is None:  # Airflow tells the callback of no task where the last one is gone from the DAG
        return
    dag, run_id = context["dag"], context["run_id"]
    states = ti.get_task_states(dag.dag_id, run_ids=[run_id])[run_id]
    for task in dag.tasks:
        state = states.get(task.task_id)
        if hasattr(task, "row") and state not in ("success", "skipped"):
            failure = ti.xcom_pull(task_ids=task.task_id, key=FAILURE_KEY) if state == "failed" else None
            yield task, state or "not run", str(failure or "")
