import os
from pathlib import Path

from pyrunner import Worker


class CheckReport(Worker):
    """Read in Python what a shell row wrote, and fail when it isn't what it should be."""

    def run(self):
        names = Path(os.environ["APP_TEMP_DIR"], "report", "files.txt").read_text().split()
        if "app_profile" not in names:
            self.logger.error(f"The report lists {names}, but no app_profile")
            return 1
        self.logger.success("The report is complete")
