"""Makes an Airflow DAG of every PyRunner task list (.lst) in this folder and below it."""

from pyrunner_airflow import load_lst_dags

load_lst_dags(globals())
