"""A git repository that Airflow has as a bundle."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path


class Repository:
    """An empty one at first; it is a bundle as soon as there is a commit."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._git("init", "--quiet", "--initial-branch=main", ".")

    def _git(self, *args: str) -> str:
        who = ["-c", "user.name=Tester", "-c", "user.email=tester@example.com"]
        done = subprocess.run(["git", *who, *args], cwd=self.path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, files: Mapping[str, str]) -> str:
        """Commit files, given as texts by path, and return the commit."""
        for path, text in files.items():
            file = self.path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self._git("add", ".")
        self._git("commit", "--quiet", "--message", "Change")
        return self._git("rev-parse", "HEAD")

    @property
    def bundles(self) -> str:
        """What ``[dag_processor] dag_bundle_config_list`` is for it alone."""
        bundle = {
            "name": "repository",
            "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
            "kwargs": {"repo_url": str(self.path), "tracking_ref": "main", "refresh_interval": 1},
        }
        return json.dumps([bundle])
