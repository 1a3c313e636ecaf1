"""What there is to ask an Airflow over its REST API, and waiting for what it does."""

import contextlib
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

T = TypeVar("T")
Json = dict[str, Any]

FINISHED = frozenset({"success", "failed"})


class LocalAirflowError(RuntimeError):
    """Airflow did not start, answer, or get where it was expected; the text says what was seen instead."""


class AirflowApi:
    """The REST API of a running Airflow, and waiting for what is seen there to change."""

    url = ""
    _client: httpx.Client | None = None

    def connect(self, url: str) -> None:
        """Talk to the Airflow at this address from now on."""
        self.url = url
        self._client = httpx.Client(base_url=url, trust_env=False, timeout=240)

    def log_in(self, user: str = "", password: str = "") -> None:
        """Get a token, which all later calls show; without a user, where everybody is admin."""
        login = {"json": {"username": user, "password": password}} if user else {}
        answer = self._call("POST" if user else "GET", "/auth/token", **login)
        self._http().headers["Authorization"] = f"Bearer {answer['access_token']}"

    def disconnect(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def exit_code(self) -> int | None:
        """Return what Airflow ended with, None while it runs: whoever knows its process overrides this."""
        return None

    def log_tail(self) -> str:
        """Return the last lines of Airflow's own log, where it can be read."""
        return ""

    # Waiting

    def wait(
        self,
        until: Callable[[], T | None],
        what: str,
        timeout: float = 60,
        seen: Callable[[], object] | None = None,
    ) -> T:
        """Return what `until` answers as soon as that is true; fail when it takes too long.

        `seen` tells, for the error's text, what there is instead.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and self.exit_code() is None:
            with contextlib.suppress(httpx.TransportError):  # the API server is starting, or a test killed it
                if answer := until():
                    return answer
            time.sleep(0.2)
        text = f"Waited for {what}, in vain (at most {timeout:.0f} s)."
        if (code := self.exit_code()) is not None:
            text += f" Airflow has ended with {code}."
        elif seen is not None:
            with contextlib.suppress(httpx.TransportError, LocalAirflowError):
                text += f" Seen: {seen()}"
        raise LocalAirflowError(f"{text}\n{self.log_tail()}")

    def wait_for_dag(self, dag_id: str, until: Callable[[Json], object] = bool, timeout: float = 60) -> Json:
        """Wait until the DAG is there, and `until` holds for its details."""

        def found() -> Json | None:
            dag = self.dag(dag_id)
            return dag if dag and until(dag) else None

        return self.wait(found, f"the DAG {dag_id}", timeout, self.import_errors)

    def wait_for_dag_gone(self, dag_id: str, timeout: float = 60) -> None:
        """Wait until Airflow no longer offers the DAG."""
        self.wait(lambda: self.dag(dag_id) is None, f"the DAG {dag_id} to go", timeout)

    def wait_for_run(self, dag_id: str, run_id: str, timeout: float = 120) -> str:
        """Wait until the run is finished, and return its state."""

        def finished() -> str | None:
            state = str(self.run(dag_id, run_id)["state"])
            return state if state in FINISHED else None

        what = f"the run {run_id} of {dag_id} to finish"
        return self.wait(finished, what, timeout, lambda: self.states(dag_id, run_id))

    # The REST API

    def api(self, method: str, *path: str, **kwargs: Any) -> Any:
        """Call /api/v2 and return the JSON answer; the parts of the path are quoted here."""
        return self._call(method, "/api/v2/" + "/".join(quote(part, safe="~") for part in path), **kwargs)

    def _call(self, method: str, path: str, **kwargs: Any) -> Any:
        response = self._http().request(method, path, **kwargs)
        if response.is_error:
            raise LocalAirflowError(f"{method} {response.url}: {response.status_code} {response.text}")
        return response.json() if response.content else None

    def _http(self) -> httpx.Client:
        if self._client is None:
            raise LocalAirflowError("Airflow has not been started")
        return self._client

    def is_healthy(self) -> bool:
        """Tell whether the scheduler and the DAG processor are well."""
        health = self.api("GET", "monitor", "health")
        return all(health[part]["status"] == "healthy" for part in ("scheduler", "dag_processor"))

    def dag(self, dag_id: str) -> Json | None:
        """Return the DAG's details, or None where Airflow does not offer such a DAG (any more)."""
        dags = self.api("GET", "dags", params={"dag_id_prefix_pattern": dag_id, "limit": 1000})["dags"]
        if not any(dag["dag_id"] == dag_id for dag in dags):
            return None
        details: Json = self.api("GET", "dags", dag_id, "details")
        return details

    def tasks(self, dag_id: str) -> dict[str, Json]:
        """Return the DAG's tasks by task ID."""
        return {task["task_id"]: task for task in self.api("GET", "dags", dag_id, "tasks")["tasks"]}

    def import_errors(self) -> list[Json]:
        """Return what the UI shows as import errors: file name, stack trace, bundle."""
        errors: list[Json] = self.api("GET", "importErrors")["import_errors"]
        return errors

    def reparse(self, dag_id: str) -> None:
        """Have Airflow read the DAG's file again at once, and wait until it has read it."""
        before = self.wait_for_dag(dag_id)
        self.api("PUT", "parseDagFile", before["file_token"])
        self.wait_for_dag(dag_id, lambda dag: dag["last_parsed_time"] != before["last_parsed_time"], 240)

    def unpause(self, dag_id: str) -> None:
        """Let the DAG run."""
        self.api("PATCH", "dags", dag_id, json={"is_paused": False})

    def pause(self, dag_id: str) -> None:
        """Have the scheduler leave the DAG's runs alone."""
        self.api("PATCH", "dags", dag_id, json={"is_paused": True})

    def trigger(self, dag_id: str, conf: Json | None = None, logical_date: datetime | None = None) -> str:
        """Start a run, without a logical date unless there is one, and return its ID."""
        body = {"conf": conf or {}, "logical_date": logical_date and logical_date.isoformat()}
        return str(self.api("POST", "dags", dag_id, "dagRuns", json=body)["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> Json:
        """Return the run."""
        run: Json = self.api("GET", "dags", dag_id, "dagRuns", run_id)
        return run

    def task_instances(self, dag_id: str, run_id: str) -> dict[str, Json]:
        """Return the latest try of each of the run's tasks, by task ID in the DAG's order."""
        path = _run_path(dag_id, run_id)
        instances = self.api("GET", *path, params={"limit": 1000})["task_instances"]
        return {instance["task_id"]: instance for instance in instances}

    def task_instance(self, dag_id: str, run_id: str, task_id: str) -> Json:
        """Return the latest try of a task; `rendered_fields` are its Rendered Templates."""
        instance: Json = self.api("GET", *_run_path(dag_id, run_id), task_id)
        return instance

    def states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """Return the state of each of the run's tasks, by task ID."""
        return {task: ti["state"] for task, ti in self.task_instances(dag_id, run_id).items()}

    def tries(self, dag_id: str, run_id: str, task_id: str) -> list[Json]:
        """Return all tries of a task, the first one first."""
        tries = self.api("GET", *_run_path(dag_id, run_id), task_id, "tries")["task_instances"]
        return sorted(tries, key=lambda ti: int(ti["try_number"]))

    def xcoms(self, dag_id: str, run_id: str, task_id: str) -> Json:
        """Return the task's XComs, key and value."""
        path = (*_run_path(dag_id, run_id), task_id, "xcomEntries")
        keys = [entry["key"] for entry in self.api("GET", *path, params={"limit": 1000})["xcom_entries"]]
        return {key: self.api("GET", *path, key)["value"] for key in keys}

    def logs(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> str:
        """Return the messages in the log of one try, a line each."""
        path = (*_run_path(dag_id, run_id), task_id, "logs", str(try_number))
        content = self.api(
            "GET", *path, params={"full_content": True}, headers={"Accept": "application/json"}
        )
        return "\n".join(line["event"] if isinstance(line, dict) else line for line in content["content"])

    def clear(
        self, dag_id: str, run_id: str, task_ids: Sequence[str] | None = None, **options: bool
    ) -> list[str]:
        """Clear as the UI does, and return what was cleared: the run's failed tasks unless told otherwise.

        `options` are the API's: only_failed (true), include_downstream (false), and their like.
        """
        body: Json = {"dry_run": False, "dag_run_id": run_id, **options}
        if task_ids is not None:
            body["task_ids"] = list(task_ids)
        cleared = self.api("POST", "dags", dag_id, "clearTaskInstances", json=body)["task_instances"]
        return [instance["task_id"] for instance in cleared]

    def set_task_state(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Mark a task success, failed, or skipped by hand."""
        self.api("PATCH", *_run_path(dag_id, run_id), task_id, json={"new_state": state})


def _run_path(dag_id: str, run_id: str) -> tuple[str, ...]:
    return "dags", dag_id, "dagRuns", run_id, "taskInstances"
