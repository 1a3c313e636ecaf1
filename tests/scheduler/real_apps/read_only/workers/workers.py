import os

from pyrunner import Worker


class First(Worker):
    def run(self):
        with open(os.path.join(os.environ["APP_TEMP_DIR"], "first.txt"), "w") as file:
            file.write("from the first row")
        self.logger.info("written")
