import os
import sys
from pathlib import Path

from pyrunner.worker.abstract import Worker

sys.path.append("..")
from commons.arguments import Arguments
from workers.books import all_books


class Prepare(Worker):
    def run(self):
        arguments = Arguments(*self.argv)
        folder = Path(os.environ["APP_TEMP_DIR"]) / "shelves"
        folder.mkdir(exist_ok=True)
        self.context["folder"] = folder
        self.context["day"] = "2026-01-31"
        self.context["books"] = all_books()
        self.logger.info(f"From {arguments.number}, {arguments.code}")
