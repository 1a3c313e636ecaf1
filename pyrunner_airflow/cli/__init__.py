"""The command line: ``pyrunner-airflow check``, ``fmt``, ``show``, ``init``, ``run``."""
