"""From a crontab and PyRunner apps to a ``pyrunner.toml``, as their text tells. Nothing is run."""

from pyrunner_airflow.migrate.move import Move

__all__ = ["Move"]
