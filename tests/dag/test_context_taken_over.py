"""An attempt whose row Airflow has begun anew, as on a host that was cut off: its writes do not count."""

from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from pyrunner_airflow.dag import context
from pyrunner_airflow.dag.errors import TakenOver
from tests.hosted import Hosted


class Store:
    """Airflow's task_state_store, when the API server answers each request with a status."""

    def __init__(self, status):
        self.error = ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"status_code": status})
        self.requests = 0

    def refuse(self, *_):
        self.requests += 1
        raise AirflowRuntimeError(self.error)

    set = delete = refuse


@pytest.fixture
def attempt(monkeypatch):
    """Return the context of an attempt that may have been missed, and what it asks of Airflow."""
    monkeypatch.setattr(context, "_UNMISSED_SECONDS", -1)

    def attempt(status):
        store = Store(status)
        return Hosted(SimpleNamespace(task_id="1", try_number=1), store).kept, store

    return attempt


@pytest.mark.parametrize("status", [404, 410])
class TestOneThatAirflowDoesNotKnow:
    def test_is_ended_when_the_journal_is_written(self, attempt, status):
        kept, _ = attempt(status)
        kept.set("a", context.Encoded(1, None))
        with pytest.raises(TakenOver, match="what this attempt wrote does not count"):
            kept.journal()

    def test_is_found_out_before_it_publishes_by_one_request(self, attempt, status):
        kept, store = attempt(status)
        for _ in range(2):
            with pytest.raises(TakenOver):
                kept.check_is_current()
        assert store.requests == 1


class TestAnyOther:
    @pytest.mark.parametrize("status", [None, 403, 409, 500])
    def test_goes_on_whatever_else_is_wrong(self, attempt, status):
        kept, store = attempt(status)
        for _ in range(2):
            kept.check_is_current()
        assert store.requests == 1
        kept.set("a", context.Encoded(1, None))
        with pytest.raises(AirflowRuntimeError):
            kept.journal()

    def test_that_is_too_young_to_be_missed_asks_nothing(self):
        store = Store(404)
        Hosted(SimpleNamespace(task_id="1", try_number=1), store).kept.check_is_current()
        assert store.requests == 0


class Api:
    """Airflow's XComs and its task_state_store; the API server's answers are these, one after the other."""

    def __init__(self, *statuses):
        self.statuses = list(statuses)
        self.pushed = {}

    def answer(self):
        status = self.statuses.pop(0) if self.statuses else 200
        if status != 200:
            error = ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"status_code": status})
            raise AirflowRuntimeError(error)

    def xcom_push(self, key, value):
        self.answer()
        self.pushed[key] = value

    def delete(self, _):
        self.answer()


class TestPublishing:
    @pytest.fixture
    def publish(self, monkeypatch):
        """Publish one key, and return the answers that were not waited for, and what has arrived."""
        monkeypatch.setattr(context, "_PAUSES", (0, 0))

        def publish(*statuses):
            api = Api(*statuses)
            task = SimpleNamespace(upstream_task_ids=(), dag=None)
            ti = SimpleNamespace(task_id="1", task=task, try_number=1, xcom_push=api.xcom_push)
            kept = Hosted(ti, api).kept
            kept.set("a", context.Encoded(1, None))
            try:
                kept.publish()
            except (AirflowRuntimeError, TakenOver) as error:
                return type(error), api.statuses, api.pushed
            return None, api.statuses, api.pushed["a"]

        return publish

    @pytest.mark.parametrize("status", [None, 409, 500, 503])
    def test_is_tried_again_if_it_may_succeed(self, publish, status):
        assert publish(status) == (None, [], 1)

    @pytest.mark.parametrize("status", [400, 403, 404])
    def test_is_not_if_it_may_not(self, publish, status):
        assert publish(status) == (AirflowRuntimeError, [], {})

    def test_ends_after_some_time(self, publish):
        assert publish(*[None] * 5) == (AirflowRuntimeError, [None] * 2, {})

    @pytest.mark.parametrize("before", [[None], [None, None], [503, 503]])
    def test_ends_as_soon_as_the_row_turns_out_to_be_begun_anew(self, publish, before):
        assert publish(*before, 404) == (TakenOver, [], {})
