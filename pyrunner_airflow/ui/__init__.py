"""The page of a run: a tab of Airflow's UI, made of its public REST API."""
