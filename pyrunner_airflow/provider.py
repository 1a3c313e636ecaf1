"""How Airflow finds this package as a provider; imports nothing, because Airflow loads it at start-up."""

from __future__ import annotations


def get_provider_info() -> dict[str, object]:
    """Return the provider's metadata, in the form of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "pyrunner-airflow",
        "name": "PyRunner",
        "cli": ["pyrunner_airflow.cli.airflow_command.get_commands"],
        "description": "Run PyRunner task lists (`.lst`) unchanged on Apache Airflow.",
        "config": {
            "pyrunner_airflow": {
                "description": "How PyRunner task lists become DAGs.",
                "options": {
                    "environment": {
                        "description": "Whose tables of pyrunner.toml hold: those of [env.prod] for prod.",
                        "version_added": None,
                        "type": "string",
                        "example": "prod",
                        "default": "",
                    }
                },
            }
        },
    }
