"""The context as a worker uses it, over what the task's process keeps, without a process between the two."""

from pyrunner_airflow.dag.context import XComContext
from pyrunner_airflow.dag.xcom_settings import allowed_classes
from pyrunner_airflow.values import Codec, Encoded
from pyrunner_airflow.worker.child import HostContext
from pyrunner_airflow.worker.protocol import from_line, to_line


class DirectHost:
    """Answers at once, in values that have been JSON."""

    def __init__(self, kept: XComContext) -> None:
        self._answers = {
            "get": kept.get,
            "set": lambda key, data, orders: kept.set(key, Encoded(data, orders)),
            "delete": kept.delete,
            "has": kept.has,
            "keys": kept.keys,
        }

    def ask(self, what: str, *arguments: object) -> object:
        return _sent(self._answers[what](*_sent(arguments)))


class Hosted(HostContext):
    """The context of an attempt of a task; `kept` is what its process keeps."""

    def __init__(self, ti, store, start=None, warn=print) -> None:
        codec = Codec(allowed_classes())
        self.kept = XComContext(ti, store, codec, start or {}, warn, has_journal=ti.try_number > 1)
        super().__init__(DirectHost(self.kept), codec)


def _sent(message: object) -> object:
    return from_line(to_line(message))
