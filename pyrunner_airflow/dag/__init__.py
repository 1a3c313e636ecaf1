"""From a task list to an Airflow DAG: the factory, the operator, the context over XCom."""

from pyrunner_airflow.dag.factory import PyRunnerDag, PyRunnerTaskGroup
from pyrunner_airflow.dag.operator import WorkerOperator

__all__ = ["PyRunnerDag", "PyRunnerTaskGroup", "WorkerOperator"]
