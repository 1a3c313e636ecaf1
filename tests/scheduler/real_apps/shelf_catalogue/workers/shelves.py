import json
import sys

from pyrunner.worker.abstract import Worker

sys.path.append("..")
from commons.arguments import Arguments
from commons.catalogue import Catalogue


class AddBook(Worker):
    def run(self):
        Catalogue(self.context, self).add(Arguments(*self.argv))


class Summarise(Worker):
    def run(self):
        summary = Catalogue(self.context, self).summary()
        (self.context["folder"].parent / "summary.json").write_text(json.dumps(summary))
        self.logger.success(f"{len(summary['books'])} books")
