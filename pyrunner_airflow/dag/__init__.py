"""From a task list to an Airflow DAG: the factory, the operator, the context over XCom."""

from pyrunner_airflow.dag.factory import PyRunnerDag
from pyrunner_airflow.dag.operator import WorkerOperator

__all__ = ["PyRunnerDag", "WorkerOperator"]
