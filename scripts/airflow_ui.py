"""Leaves an Airflow running with all examples in its dags folder, until Ctrl-C."""

import sys
from pathlib import Path

from scripts.local_airflow import BIN, LocalAirflow, LocalAirflowError

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".airflow" / "ui"


def main() -> int:
    """Return 0 after Ctrl-C, 1 when Airflow could not start or ended by itself."""
    # What is dropped into the folder can be triggered at once, without a switch to turn first.
    settings = {"core": {"dags_are_paused_at_creation": False}}
    airflow = LocalAirflow(HOME, settings=settings, login=True, port=8080)
    try:
        for path in (*sorted((ROOT / "dags").glob("*.py")), *sorted((ROOT / "example_lst").iterdir())):
            airflow.add(path)
        print("Airflow is starting ...", flush=True)
        with airflow:
            user, password = airflow.credentials()
            print(f"Address    {airflow.url}")
            print(f"Login      {user}")
            print(f"Password   {password}")
            print(f"Drop .lst  {airflow.dags_folder}")
            print(f"Commands   AIRFLOW_HOME={HOME} {BIN / 'airflow'} dags list")
            # Airflow has no option to bind them to one address.
            print("Its two log servers listen on all addresses of this machine, and answer to Airflow alone.")
            print("Ctrl-C stops it; runs and history are kept for the next time.", flush=True)
            airflow.join()
    except LocalAirflowError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nAirflow has been stopped.")
        return 0  # the way it is meant to end
    return 0


if __name__ == "__main__":
    sys.exit(main())
