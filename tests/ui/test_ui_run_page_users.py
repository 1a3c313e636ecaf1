"""The page of a run, as users see it who may do more or less."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from scripts.local_airflow import Json, LocalAirflow
from tests.postgres import Postgres
from tests.scheduler.apps import App, Run, apps_in
from tests.servers import free_port, running
from tests.setups import SETUP
from tests.ui.browser import TIMEOUT, RunPage

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("airflow with users")]

LIST = """
#AIRFLOW [access_control]
#AIRFLOW reads_this = ["can_read"]
1|-1|1|0|Write|workers|Write
2|1|1|0|Fail|workers|Fail
"""
WORKERS = """
class Write(Worker):
    def run(self):
        self.context["day"] = "today"

class Fail(Worker):
    def run(self):
        raise ValueError("no data")
"""


@pytest.fixture(scope="module")
def with_users(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[LocalAirflow]:
    """An Airflow below a path, that asks who one is, and whose runs may have any name."""
    settings = {
        "core": {"simple_auth_manager_users": "admin:admin,viewer:viewer"},
        "scheduler": {"allowed_run_id_pattern": "^[^/]+$"},
        **SETUP.settings,
    }
    local = LocalAirflow(
        tmp_path_factory.mktemp("users"),
        settings=settings,
        login=True,
        database=postgres.database("users"),
        path="/teams/etl",
    )
    for loader in SETUP.loaders:
        local.add(loader)
    with local:
        yield local


@pytest.fixture(scope="module")
def app(with_users: LocalAirflow) -> Iterator[App]:
    apps = apps_in(with_users)
    yield next(apps).add("seen_by_users", LIST, WORKERS)
    next(apps, None)


@pytest.fixture
def run(app: App) -> Run:
    return app.trigger().finish()


@pytest.fixture
def sign_in(browser: Browser) -> Iterator[Callable[[str, str, str], Page]]:
    """Sign in at an Airflow's address, in a window of its own, as of a browser that was never used."""
    contexts = []

    def sign_in(url: str, user: str, password: str) -> Page:
        contexts.append(browser.new_context(base_url=f"{url}/"))
        contexts[-1].set_default_timeout(TIMEOUT)
        page = contexts[-1].new_page()
        page.goto("./")
        page.get_by_label("Username").fill(user)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()  # in capitals or not
        page.wait_for_url(f"{url}/")
        return page

    yield sign_in
    for context in contexts:
        context.close()


@pytest.fixture
def log_in(sign_in, with_users: LocalAirflow) -> Callable[[str], Page]:
    passwords = json.loads((with_users.home / "simple_auth_manager_passwords.json.generated").read_text())
    return lambda user: sign_in(with_users.url, user, passwords[user])


class TestWhoMayOnlyRead:
    def test_sees_the_rows_and_the_context(self, log_in, run):
        view = RunPage(log_in("viewer"), run)
        assert view.states() == {"1": "done", "2": "failed"}
        expect(view.key("day").get_by_role("cell").nth(1)).to_have_text("today")

    def test_is_told_that_a_restart_is_not_theirs_and_nothing_is_cleared(self, log_in, run):
        view = RunPage(log_in("viewer"), run)
        view.press("Restart 1 row (-r)")
        view.agree("Restart")
        expect(view.dialog).to_contain_text("You may not do this here. Airflow says:")
        assert (run.state, run.attempts()["2_fail"]) == ("failed", 1)

    def test_is_told_that_an_edit_is_not_theirs(self, log_in, run):
        view = RunPage(log_in("viewer"), run)
        view.press("Edit day")
        view.dialog.get_by_role("textbox").fill('"tomorrow"')
        view.agree("Save")
        expect(view.dialog).to_contain_text("You may not do this here. Airflow says:")
        assert run.xcoms("1_write")["day"] == "today"


@pytest.mark.parametrize("run_id", ["a+b", "100%"])
def test_a_run_may_have_any_name_that_airflows_own_pages_take(log_in, app, run_id):
    app.airflow.wait_for_dag(app.name)
    app.airflow.unpause(app.name)
    app.airflow.api("POST", "dags", app.name, "dagRuns", json={"dag_run_id": run_id, "logical_date": None})
    run = Run(app.airflow, app.name, run_id).finish()
    view = RunPage(log_in("admin"), run)
    assert view.states() == {"1": "done", "2": "failed"}
    view.press("Restart 1 row (-r)")
    assert view.restart() == ["2_fail"]
    run.finish()
    assert run.attempts()["2_fail"] == 2


FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
READS_ALL = ("DAGs", "DAG Runs", "Task Instances", "Task Logs", "XComs", "DAG Versions", "Website", "Plugins")
ROLES = {
    "reads_all": READS_ALL,
    "reads_this": READS_ALL[1:],
    "no_plugins": READS_ALL[:-1],
    "no_dags": READS_ALL[1:],
}
"""What a role may read, beside what a list says; each has a user of its name."""


@pytest.fixture(scope="module")
def with_roles(with_users: LocalAirflow, app: App, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give that Airflow a second API server, whose users have roles: `standalone` starts none such."""
    airflow = [with_users.bin.parent / "fab" / "bin" / "python", "-m", "airflow"]
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = {**with_users.env, "AIRFLOW__CORE__AUTH_MANAGER": FAB, "AIRFLOW__API__BASE_URL": url}
    prepare = (
        "$0 $@ fab-db migrate && $0 $@ users create -u boss -p boss -r Admin -f The -l Boss -e boss@here"
    )
    with (
        httpx.Client(base_url=url, trust_env=False, timeout=TIMEOUT / 1000) as client,
        running(
            tmp_path_factory.mktemp("roles"),
            ["sh", "-c", prepare, *airflow],
            [*airflow, "api-server", "--host", "127.0.0.1", "--port", str(port)],
            lambda: answers(client),
            env=env,
        ),
    ):
        token = post(client, "token", username="boss", password="boss")["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        for name, readable in ROLES.items():
            actions = [{"action": {"name": "can_read"}, "resource": {"name": what}} for what in readable]
            post(client, "fab/v1/roles", name=name, actions=actions)
            user = dict.fromkeys(("username", "first_name", "last_name", "password"), name)
            post(client, "fab/v1/users", **user, email=f"{name}@here", roles=[{"name": name}])
        with_users.wait_for_dag(app.name)
        # What parsing a list does, where the dag-processor has this auth manager too.
        subprocess.run([*airflow, "sync-perm", "--include-dags"], env=env, check=True, capture_output=True)
        yield url


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("api/v2/monitor/health").is_success
    except httpx.TransportError:
        return False


def post(client: httpx.Client, path: str, **body: object) -> Json:
    answer = client.post(f"auth/{path}", json=body)
    assert answer.is_success, answer.text
    return answer.json()


class TestWhoHasARole:
    """Of those that FAB, another auth manager, gives."""

    @pytest.fixture
    def log_in(self, sign_in, with_roles) -> Callable[[str], Page]:
        return lambda user: sign_in(with_roles, user, user)

    def test_that_reads_plugins_sees_the_tab_and_what_is_on_it(self, log_in, run):
        page = log_in("reads_all")
        page.goto(f"dags/{run.dag_id}/runs/{quote(run.run_id, safe='')}")
        page.get_by_role("link", name="PyRunner").click()
        assert RunPage(page, run).states() == {"1": "done", "2": "failed"}

    def test_that_reads_no_plugins_has_no_such_tab(self, log_in, run):
        page = log_in("no_plugins")
        page.goto(f"dags/{run.dag_id}/runs/{quote(run.run_id, safe='')}")
        expect(page.get_by_role("link", name="Task Instances")).to_be_visible()
        expect(page.get_by_role("link", name="PyRunner")).to_have_count(0)

    def test_that_the_list_names_sees_its_runs(self, log_in, run):
        assert RunPage(log_in("reads_this"), run).states() == {"1": "done", "2": "failed"}

    def test_that_does_not_read_the_dag_sees_nothing_of_its_runs(self, log_in, run):
        view = RunPage(log_in("no_dags"), run)
        expect(view.body).to_contain_text("You may not")
        assert "today" not in view.page.content()
