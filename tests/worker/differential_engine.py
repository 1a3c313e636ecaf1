"""Runs an app with python-batch-runner's engine; Python 3.8, since it runs in other interpreters."""

import json
import sys
from pathlib import Path


def run(root):
    """Run the app in ``root``, noting the code of each poll."""
    from pyrunner import PyRunner
    from pyrunner.core.node import ExecutionNode

    codes = {}
    poll = ExecutionNode.poll

    def noting_poll(self, wait=False):
        code = poll(self, wait)
        if code is not None:
            codes.setdefault(self.id, []).append(code)
        return code

    ExecutionNode.poll = noting_poll
    sys.argv[1:] = ["-t", "50", "--nozip", "--silent"]
    app = PyRunner(config_file=f"{root}/config/app_profile", proc_file=f"{root}/config/job.lst")
    app.execute()
    leave(root, codes, dict(app.context.shared_dict))


def leave(root, codes, context, **more):
    """Leave for the tests what came of the rows."""
    left = {key: repr(value) for key, value in context.items() if isinstance(key, str)}
    (root / "result.json").write_text(json.dumps({"codes": codes, "context": left, **more}))


if __name__ == "__main__":
    run(Path(sys.argv[1]))
