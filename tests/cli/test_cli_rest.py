"""What the commands that ask a running Airflow say where it is not there, or refuses."""

from __future__ import annotations

import json

import pytest
from command import run

RUN = "/api/v2/dags/my%20job/dagRuns/a%2Bb"


def restart(server, **env):
    return run("restart", "my job", "a+b", AIRFLOW_API_URL=server.url, **env)


def test_where_nothing_answers_the_address_is_told_and_how_to_give_another(tmp_path):
    done = run("restart", "--api-url", "http://127.0.0.1:1", "job")
    assert done.code == 2
    assert "no Airflow answers at http://127.0.0.1:1 (" in done.err
    assert "give its address by --api-url or AIRFLOW_API_URL" in done.err


def test_what_is_no_airflow_is_told_so(server):
    server.answers["/auth/token"] = (200, b"<html>Welcome</html>")
    assert f"no Airflow answers at {server.url} (" in restart(server).err


def test_a_token_is_shown_as_it_is(server):
    restart(server, AIRFLOW_CLI_TOKEN="given")
    assert server.asked == [("GET", RUN, "Bearer given", "")]


def test_user_and_password_get_a_token(server):
    restart(server, AIRFLOW_USERNAME="me", AIRFLOW_PASSWORD="secret")
    login, asked = server.asked
    assert login[:2] == ("POST", "/auth/token")
    assert json.loads(login[3]) == {"username": "me", "password": "secret"}
    assert asked[2] == "Bearer made"


def test_an_airflow_may_stand_below_a_path(server):
    server.answers["/below/auth/token"] = server.answers["/auth/token"]
    run("restart", "job", "a", AIRFLOW_API_URL=f"{server.url}/below/")
    assert [asked[1] for asked in server.asked] == ["/below/auth/token", "/below/api/v2/dags/job/dagRuns/a"]


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "Say who asks, by AIRFLOW_CLI_TOKEN, or by AIRFLOW_USERNAME and AIRFLOW_PASSWORD"),
        (403, "This user may not do that"),
        (404, "Airflow answered 404 to GET " + RUN),
        (500, "Airflow answered 500 to GET " + RUN),
    ],
)
def test_a_refusal_is_told_with_what_to_do_and_no_secret(server, status, says):
    server.answers[RUN] = (status, {"detail": "of Airflow's own"})
    done = restart(server, AIRFLOW_CLI_TOKEN="given")
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert ": of Airflow's own" in done.err
    assert "given" not in done.err


def test_a_wrong_password_is_told(server):
    server.answers["/auth/token"] = (401, {"detail": "Invalid credentials"})
    done = restart(server, AIRFLOW_USERNAME="me", AIRFLOW_PASSWORD="secret")
    assert done.code == 2
    assert "Airflow answered 401 to POST /auth/token: Invalid credentials\nSay who asks" in done.err
    assert "secret" not in done.err


def test_only_and_from_exclude_each_other():
    done = run("restart", "--only", "1", "--from", "2", "job")
    assert done.code == 2
    assert "--only and --from exclude each other." in done.err
