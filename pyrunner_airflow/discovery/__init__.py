"""How Airflow comes by the task lists that lie in a dags folder."""
