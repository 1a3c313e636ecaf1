"""A real Airflow on this machine: for the demo, for a look at the UI, and for the tests."""
