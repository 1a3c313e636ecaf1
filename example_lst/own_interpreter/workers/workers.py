import sys
from decimal import Decimal

from pyrunner import Worker


class ComputeRates(Worker):
    """Here a job of 2021 would import the pandas of 2021."""

    def run(self):
        self.context["rates"] = {"EUR": Decimal("1.0000"), "GBP": Decimal("0.8432")}
        self.context["computed_by"] = sys.version_info[:2]


class PublishRates(Worker):
    """Runs in Airflow's own Python, and finds what row 1 left there with its types."""

    def run(self):
        assert isinstance(self.context["rates"]["GBP"], Decimal)
        rates = ", ".join(f"{currency} {rate}" for currency, rate in self.context["rates"].items())
        major, minor = self.context["computed_by"]
        self.logger.success(f"{rates}, computed by Python {major}.{minor}")
