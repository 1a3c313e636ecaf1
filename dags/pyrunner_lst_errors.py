"""Shows the errors of PyRunner task lists (.lst) that no Airflow DAG can be made of, as an import error."""

from pyrunner_airflow import show_lst_errors

show_lst_errors(globals())
