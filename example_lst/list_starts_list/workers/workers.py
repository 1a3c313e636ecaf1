import json
import os
from pathlib import Path

from pyrunner import Worker


def prices_file():
    return Path(os.environ["APP_TEMP_DIR"], "prices.json")


class FetchPrices(Worker):
    def run(self):
        self.context["prices"] = {"ACME": 5.5, "Börse": 11.0}


class StorePrices(Worker):
    def run(self):
        prices_file().write_text(json.dumps(self.context["prices"]))


class ReportPrices(Worker):
    """Belongs to the other list: each run has its own context, so what it needs of the first is in a file."""

    def run(self):
        prices = json.loads(prices_file().read_text())
        self.logger.success(f"{len(prices)} prices, the highest {max(prices.values())}")
