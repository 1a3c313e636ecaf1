"""Names of variables whose values are not to be shown."""

from __future__ import annotations

import re

# Airflow's own list of sensitive names and more, as whole words: TOKENIZERS_PARALLELISM is none, and PWD by
# itself is the working directory.
SECRET_NAME = re.compile(
    "(^|_)("
    "access_?key|api_?key|auth_?header|authorization|bearer|connection_?string|credential|cred|dsn"
    "|keyfile_?dict|pass|passphrase|pgpass|private_?key|service_?account|service_?key|sshpass|webhook_?url"
    ")s?[0-9]*(_|$)|_pwd[0-9]*(_|$)|_conn$|(passwd|password|secret|token)s?[0-9]*(_|$)",
    re.IGNORECASE,
)
URL_PASSWORD = re.compile(r"://[^\s/:@]*:([^\s/]+)@")
