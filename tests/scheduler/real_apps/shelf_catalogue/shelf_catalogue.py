#!/usr/bin/env python3

import os
import sys

from pyrunner import PyRunner

if __name__ == "__main__":
    abs_dir_path = os.path.dirname(os.path.realpath(__file__))

    app = PyRunner(
        config_file=f"{abs_dir_path}/config/app_profile",
        proc_file=f"{abs_dir_path}/config/shelf_catalogue.lst",
    )
    app.config["nozip"] = True
    app.context["library"] = "north"

    sys.exit(app.execute())
