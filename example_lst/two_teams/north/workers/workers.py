import json
import os
from pathlib import Path

from pyrunner import Worker


class CollectSales(Worker):
    def run(self):
        self.context["sales"] = {"Bergen": 41200, "Göteborg": 38650, "Tampere": 27900}
        self.logger.info("Collected the sales of the north")


class PublishSales(Worker):
    """The north publishes the total of its shops."""

    def run(self):
        total = sum(self.context["sales"].values())
        Path(os.environ["APP_TEMP_DIR"], "sales.json").write_text(json.dumps({"total": total}))
        self.logger.success(f"North: {total} in total")
