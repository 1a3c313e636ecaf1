import json


class Catalogue:
    """Does a worker's work with the worker's context and logger."""

    def __init__(self, context, worker):
        self.context = context
        self.worker = worker

    def add(self, arguments):
        book = self.context["books"][int(arguments.number)]
        assert book["code"] == arguments.code, (book, arguments)
        book["before"] = self.context.get("latest")
        self.path(arguments.code).write_text(json.dumps(book))
        self.context["latest"] = arguments.code
        self.worker.logger.info(f"{arguments.code} follows {book['before']}")

    def summary(self):
        files = sorted(self.context["folder"].glob("*.json"))
        return {
            "types": {key: type(self.context[key]).__name__ for key in ("folder", "day", "books")},
            "day": self.context["day"],
            "library": self.context["library"],
            "latest": self.context["latest"],
            "books": [json.loads(file.read_text()) for file in files],
        }

    def path(self, code):
        return self.context["folder"] / f"{code}.json"
