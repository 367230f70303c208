"""What authors get wrong, and the words in which it is told: by `run`, by `serve` and by `deploy`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """`code` is the predictor's, `told` what is said of it; `late`: only a request meets it.

    `deploy` is what a deploy says, where that differs: there an example is the first request.
    """

    code: str
    told: tuple[str, ...]
    late: bool = False
    deploy: tuple[str, ...] = ()


_TEXT = "def predict(text: str) -> str: return text\n"
MISTAKES = {
    "a syntax error": Mistake(
        "def predict(text: str)\n    return text\n", ("predictor.py, line 1: SyntaxError: expected ':'",)
    ),
    "a syntax error in another module": Mistake(
        f"import other.broken\n{_TEXT}", ("other/broken.py, line 2: SyntaxError: '(' was never closed",)
    ),
    "a missing module": Mistake(
        f"import nowhere\n{_TEXT}",
        ("predictor.py, line 1: ModuleNotFoundError: No module named 'nowhere'", "Add the package that has 'nowhere'"),
    ),
    "an exception in setup": Mistake(
        f"def load():\n    raise OSError('no weights')\ndef setup():\n    load()\n{_TEXT}",
        ("predictor.py, line 2: OSError: no weights", "through", "predictor.py, line 4, in setup"),
    ),
    "os._exit in setup": Mistake(
        f"import os\ndef setup():\n    print('so long')\n    os._exit(3)\n{_TEXT}",
        ("predictor.py ended its process while it started (status 3)",),
        deploy=("predictor.py ended its process while it started, or while it met its example (status 3)",),
    ),
    "no hint": Mistake(
        "def predict(text): return text\n",
        ("predictor.py cannot be served: text: predict does not say of what type it is",),
    ),
    "no predict": Mistake("x = 1\n", ("predictor.py cannot be served: predictor has no function predict",)),
    "an answer that cannot be written": Mistake(
        "def predict(text: str): return {'a': [float('nan')]}\n",
        ("predictor.py: the answer.a[0] is NaN, which JSON cannot say",),
        late=True,
        deploy=("examples/hello.txt gets no answer: the answer.a[0] is NaN, which JSON cannot say",),
    ),
    "an exception in predict": Mistake(
        "import json\ndef part(text):\n    return json.loads(text)\ndef predict(text: str):\n    return part(text)\n",
        ("predictor.py, line 3: JSONDecodeError: Expecting value", "predictor.py, line 5, in predict"),
        late=True,
    ),
    "os._exit in predict": Mistake(
        "import os\ndef predict(text: str):\n    os._exit(0)\n",
        ("predictor.py ended its process while it predicted (status 0)",),
        late=True,
        deploy=("predictor.py ended its process while it started, or while it met its example (status 0)",),
    ),
}
OTHER = {"other/broken.py": "x = 1\ny = (\n"}
"""What one of them imports."""
RUNTIME = ("Traceback", "handler.py", "worker.py", "importlib", "site-packages", "serving/")
"""What no author has to read."""
