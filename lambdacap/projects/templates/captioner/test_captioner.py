"""`pip install pytest`, then `python -m pytest`."""

import json
import subprocess


def test_the_example() -> None:
    done = subprocess.run(["lambdacap", "run", "--json", "examples/scene.jpg"], capture_output=True, check=True)
    assert json.loads(done.stdout)["caption"] == "a small black cross on the right"
