import json
import os
from pathlib import Path

from pyrunner import Worker


class CollectSales(Worker):
    def run(self):
        self.context["sales"] = {"Bologna": 33100, "Porto": 45750, "Sevilla": 52300, "Zagreb": 18400}
        self.logger.info("Collected the sales of the south")


class PublishSales(Worker):
    """The south publishes its best shop."""

    def run(self):
        sales = self.context["sales"]
        best = max(sales, key=sales.get)
        Path(os.environ["APP_TEMP_DIR"], "sales.json").write_text(json.dumps({"best": best}))
        self.logger.success(f"South: {best} sold most, for {sales[best]}")
