"""Context values over the columns in which Airflow stores XComs: each database gives them back."""

from types import SimpleNamespace

import pytest
from airflow.models.xcom import XComModel
from airflow.sdk.bases.xcom import BaseXCom
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, select
from sqlalchemy.pool import StaticPool

from pyrunner_airflow.dag.xcom_values import from_xcom, to_xcom
from tests.context_values import VALUES, image
from tests.mariadb import mariadb_url  # noqa: F401 - a fixture
from tests.values.storing import CODEC

XCOMS = Table("xcom", MetaData(), Column("number", Integer), Column("value", XComModel.value.type))


@pytest.fixture(scope="module", params=["SQLite", "PostgreSQL", "MariaDB"])
def stored(request, allowed_classes):
    """What is in the database of each value and the orders of its keys, as a task pulls it."""
    if request.param == "SQLite":
        url = "sqlite://"
    elif request.param == "PostgreSQL":
        url = request.getfixturevalue("postgres").database("stored_values")
    else:
        url = request.getfixturevalue("mariadb_url")
    with create_engine(url, poolclass=StaticPool).connect() as connection:
        XCOMS.create(connection)
        for number, value in enumerate(VALUES.values()):
            data, orders = CODEC.encode(value)
            # In a list: SQLite may change the last digit of a lone float, which the context's index tells.
            pushed = BaseXCom.serialize_value([to_xcom(data), orders])
            connection.execute(XCOMS.insert().values(number=number, value=pushed))
        rows = connection.execute(select(XCOMS.c.value).order_by(XCOMS.c.number)).scalars()
        yield dict(zip(VALUES, rows, strict=True))


@pytest.mark.parametrize("name", VALUES)
def test_a_value_comes_back_equal_and_of_the_same_type(stored, name):
    pulled, orders = BaseXCom.deserialize_value(SimpleNamespace(value=stored[name]))
    assert image(CODEC.decode(from_xcom(pulled, CODEC), orders)) == image(VALUES[name])
