"""Which of the values that environment variables hold are kept out of the tasks' logs."""

import json
import re
import shlex
import shutil
import subprocess

import pytest
from airflow.sdk.log import redact

from pyrunner_airflow.dag.masking import mask_alone, mask_secrets
from tests.airflow_settings import configured

VALUE = "q7-Zulu-93"


def in_shell(script, shell="bash"):
    """Return what writes a text as a shell does."""

    def write(text):
        command = [shutil.which(shell), "-c", script, shell, text]
        return subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
            cwd="/",
            env={
                "LANG": "C.UTF-8"
            },  # it prints its environment, where a part of the secret may stand by chance
        ).stdout

    return write


WRITTEN = {
    "repr": repr,
    "repr amid others": lambda text: repr([text, f'"{text}']),
    "JSON": json.dumps,
    "JSON, not ASCII": lambda text: json.dumps(text, ensure_ascii=False),
    "shlex": shlex.quote,
    "@Q": in_shell("printf '%s' \"${1@Q}\""),
    "export -p": in_shell("declare -x A=$1; export -p | grep -A9 ' A='"),
    "bash -x": in_shell('set -x; : "$1"'),
    "sh -x": in_shell('set -x; : "$1"', "sh"),
}


@pytest.mark.parametrize(
    "name",
    [
        "APP_DB_PASSWORD",
        "app_db_password",
        "DB_PASSWD",
        "DB_PASS",
        "DB_PWD",
        "MY_PWD_2",
        "API_KEY",
        "APIKEY",
        "AWS_SECRET_ACCESS_KEY",
        "SLACK_TOKEN",
        "TOKENS",
        "APP_CREDENTIAL",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "APP_DSN",
        "DB_CONN",
        "STORE_CONNECTION_STRING",
        "SLACK_WEBHOOK_URL",
        "PGPASSWORD",
        "SSHPASS",
        "dbPassword",
        "PASSWORD1",
        "DB_PASS2",
        "CLIENTSECRET",
        "APPTOKEN",
    ],
)
def test_a_secret_is_known_by_its_variables_name(name):
    assert VALUE in mask_secrets({name: VALUE})


@pytest.mark.parametrize(
    "name",
    ["PWD", "OLDPWD", "TOKENIZERS_PARALLELISM", "APP_NAME", "MAX_CONNECTIONS", "BYPASS", "SSH_AUTH_SOCK"],
)
def test_others_are_none(name):
    assert mask_secrets({name: VALUE}) == set()


def test_airflows_own_variables_are_airflows_business():
    assert mask_secrets({"AIRFLOW__API__SECRET_KEY": VALUE}) == set()


def test_names_that_airflow_is_told_are_too():
    with configured(sensitive_var_conn_names="codeword, pin"):
        assert mask_secrets({"APP_CODEWORDS": VALUE}) == {VALUE}
        assert mask_secrets({"APP_NAME": VALUE}) == set()


@pytest.mark.parametrize(
    ("url", "passwords"),
    [
        ("postgresql://etl:q7-Zulu@db:5432/sales", {"q7-Zulu"}),
        ("redis://:q7-Zulu@cache", {"q7-Zulu"}),
        ("http://etl:q7%2FZulu@proxy:3128", {"q7%2FZulu", "q7/Zulu"}),
        ("postgresql://etl:q7@Zulu@db/sales", {"q7@Zulu"}),
        ("postgresql://etl@db:5432/sales", set()),
        ("https://example.org/a:b", set()),
    ],
)
def test_of_a_url_the_password_is_a_secret(url, passwords):
    assert mask_secrets({"APP_DB_URL": url}) == passwords


class TestWhatIsMasked:
    KEY = "-----BEGIN KEY-----\n  abc  def ghi\nx\n-----END KEY-----\n"

    @pytest.fixture(autouse=True)
    def key(self):
        mask_secrets({"APP_PRIVATE_KEY": self.KEY, "APP_PASSWORD": "two  blanks", "APP_PIN_TOKEN": "1234"})

    @pytest.mark.parametrize(
        "text",
        [
            KEY,
            "-----BEGIN KEY-----",
            "abc  def ghi",
            "abc def ghi",
            "-----BEGIN KEY----- abc def ghi x -----END KEY-----",
            repr(KEY),
            " ".join(repr(KEY).split()),
            "two  blanks",
            "two blanks",
        ],
    )
    def test_a_secret_in_each_form_that_a_log_gives_it(self, text):
        shown = redact(f"<{text}>")
        assert "***" in shown
        assert not re.search("KEY|abc|def|ghi|two|blanks", shown)

    @pytest.mark.parametrize("text", ["example", "pin 1234"])
    def test_no_short_text(self, text):
        """Else the log would be stars."""
        assert redact(text) == text

    @pytest.mark.parametrize("write", WRITTEN.values(), ids=WRITTEN)
    @pytest.mark.parametrize(
        "secret",
        ["q7'Zü$lu", 'q7"Zü`lu', "q7\\Z'ü\"lu", "q7'Zülu\nnext\"line\n", "q7'Zulu\nsecond"],
        ids=["single", "double", "both", "both, two lines", "single, two lines"],
    )
    def test_a_secret_with_quotes_however_it_is_written(self, write, secret):
        mask_secrets({"APP_PASSWORD": secret})
        assert not re.search("q7|lu|next|line|second", redact(write(secret)))

    def test_what_the_log_shows_of_bytes_that_are_no_text(self):
        mask_secrets({"APP_PASSWORD": "q7-\udcffZulu"})
        assert redact("<q7-\\udcffZulu>") == "<***>"


@pytest.mark.parametrize(
    "shown", [str, lambda key: " ".join(key.split()), lambda key: key.splitlines()[2].strip()]
)
def test_what_airflow_knows_as_a_secret_is_masked_as_one_line_and_by_the_line_too(shown):
    key = "<<<< begin\nq8-first\n  q8-second\n>>>> end"
    mask_alone(key, None)
    assert "q8" not in redact(f"({shown(key)})")
