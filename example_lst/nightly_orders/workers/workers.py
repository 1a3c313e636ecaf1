from contextlib import closing
from datetime import date

import psycopg2
from airflow.sdk import Connection
from pyrunner import Worker


def connect(name):
    """Open a database by the name of its Connection in Airflow: no password stands in a file of the job's."""
    found = Connection.get(name)
    return psycopg2.connect(
        host=found.host, port=found.port, user=found.login, password=found.password, dbname=found.schema
    )


class ExtractOrders(Worker):
    """Leaves the orders of a day in the context. Many more would go into a file."""

    def run(self):
        day = date.fromisoformat(self.argv[0])
        with closing(connect("shop")) as shop, shop.cursor() as cursor:
            cursor.execute("SELECT id, customer, amount FROM orders WHERE day = %s ORDER BY id", [day])
            self.context["orders"] = cursor.fetchall()
        self.context["day"] = day
        self.logger.info(f"{len(self.context['orders'])} orders on {day}")


class LoadOrders(Worker):
    """Replaces the day, in one transaction, so that the row may run again."""

    def run(self):
        day, orders = self.context["day"], self.context["orders"]
        with closing(connect("warehouse")) as warehouse, warehouse, warehouse.cursor() as cursor:
            cursor.execute("DELETE FROM orders WHERE day = %s", [day])
            cursor.executemany("INSERT INTO orders VALUES (%s, %s, %s, %s)", [(day, *row) for row in orders])


class CheckTotals(Worker):
    def run(self):
        day = self.context["day"]
        expected = sum(amount for _, _, amount in self.context["orders"])
        with closing(connect("warehouse")) as warehouse, warehouse.cursor() as cursor:
            cursor.execute("SELECT coalesce(sum(amount), 0) FROM orders WHERE day = %s", [day])
            (loaded,) = cursor.fetchone()
        if loaded != expected:
            self.logger.error(f"The shop has sold for {expected}, the warehouse says {loaded}")
            return 1
        self.logger.success(f"{loaded} in all")
