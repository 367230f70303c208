"""What only a process of its own shows: imports, memory, other predictors, a bundle that is broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

IMAGE = Path(__file__).resolve().parents[2] / "image"

# Reads events from stdin as Lambda's runtime would hand them over, and ends with what the process has become.
RUN = """
import json, resource, sys, time
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
from handler import handler
answers = []
for event in json.load(sys.stdin):
    size, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    answer = handler(event, None)
    seconds = time.perf_counter() - began
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - size
    answers.append({"answer": answer, "seconds": seconds, "kilobytes": grown})
modules = sorted(sys.modules)
print(json.dumps({"answers": answers, "modules": modules}))
"""


def run(
    *events: object, bundle: Path | None = None, path: Path | None = None, predictor: str | None = None
) -> tuple[dict[str, Any], list[dict[str, Any]], subprocess.CompletedProcess[str]]:
    """Starts the handler anew; gives what it ended with, its log, and the process."""
    folders = [str(IMAGE)] + ([str(path)] if path else [])
    variables = {"MODEL_DIR": str(bundle) if bundle else None, "PREDICTOR": predictor}
    environ = {k: v for k, v in os.environ.items() if k not in ("MODEL_DIR", "PREDICTOR", "PYTHONPATH")}
    environ |= {k: v for k, v in variables.items() if v} | {"PYTHONPATH": os.pathsep.join(folders)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN],
        input=json.dumps(events),
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return (lines[-1], lines[:-1], done) if done.returncode == 0 else ({}, lines, done)


def test_starts_with_few_modules_and_without_torch(bundle_folder: Path) -> None:
    result, log, _ = run({}, {}, bundle=bundle_folder)
    modules = result["modules"]
    roots = {name.partition(".")[0] for name in modules}
    assert not roots & {"torch", "torchvision", "onnx", "email", "http", "asyncio", "socket", "lambdacap"}
    assert len(modules) < 300
    assert [entry["event"] for entry in log] == ["init", "warm", "warm"]
    assert [entry.get("cold") for entry in log] == [None, True, False]
    assert log[0]["model"] == "tiny"
    assert log[0]["init_ms"] == log[1]["init_ms"]
    assert "init_ms" not in log[2]


def test_the_largest_picture_that_is_taken_costs_little_more_than_its_pixels(
    bundle_folder: Path,
    post: Any,  # noqa: ANN401
    encode: Any,  # noqa: ANN401
) -> None:
    from PIL import Image

    largest = encode(Image.new("RGBA", (5000, 4000)), "PNG")
    result, _, _ = run({}, post(largest, "image/png"), bundle=bundle_folder)
    outcome = result["answers"][1]
    assert outcome["answer"]["statusCode"] == 200
    assert outcome["kilobytes"] < 130_000
    assert outcome["seconds"] < 5  # 0.5 s when the machine has nothing else to do


PREDICTOR = """
def setup():
    pass

def predict(image, options):
    if options.get("fail") == "value":
        raise ValueError("send another picture")
    if options.get("fail") == "key":
        raise KeyError("secret of the predictor")
    if options.get("fail") == "json":
        return {"size": object()}
    if options.get("fail") == "nan":
        return {"size": float("nan")}
    return {"size": list(image.size), "mode": image.mode, "label": "été"}
"""


def test_another_model_is_another_module(tmp_path: Path, post: Any, encode: Any, scene: Any) -> None:  # noqa: ANN401
    (tmp_path / "classifier.py").write_text(PREDICTOR, encoding="utf-8")
    photo = encode(scene, "PNG")
    events = [{}, post(photo)] + [post(photo, fail=kind) for kind in ("value", "key", "json", "nan")]
    result, log, done = run(*events, path=tmp_path, predictor="classifier")
    warm, good, theirs, bug, *unwritten = (outcome["answer"] for outcome in result["answers"])
    assert warm["model"] is None
    assert json.loads(good["body"]) == {"size": [48, 32], "mode": "RGB", "label": "été"}
    assert theirs["statusCode"] == 400
    assert json.loads(theirs["body"])["error"] == {"code": "invalid_input", "message": "send another picture"}
    assert bug["statusCode"] == 500
    assert json.loads(bug["body"])["error"]["code"] == "internal_error"
    assert "secret" not in bug["body"]
    assert "secret of the predictor" in log[-3]["trace"]
    said = [json.loads(answer["body"])["error"] for answer in unwritten]
    assert [error["code"] for error in said] == ["invalid_answer"] * 2
    assert "object" in said[0]["message"]
    assert said[1]["message"] == "the answer.size is NaN, which JSON cannot say"
    assert [entry["status"] for entry in log[-4:]] == [400, 500, 500, 500]
    assert "captioner" not in result["modules"]
    assert done.stderr == ""


def test_a_predictor_beside_the_handler_goes_before_the_captioner(tmp_path: Path) -> None:
    (tmp_path / "predictor.py").write_text("def predict(words: str) -> int:\n    return len(words)\n", "utf-8")
    event = {"httpMethod": "POST", "headers": {"Content-Type": "text/plain"}, "body": "four"}
    result, _, _ = run({}, event, path=tmp_path)
    warm, answer = (outcome["answer"] for outcome in result["answers"])
    assert warm["warm"]
    assert (answer["statusCode"], answer["body"]) == (200, "4")
    assert "captioner" not in result["modules"]


def test_a_broken_bundle_ends_the_process_with_a_reason(own_bundle: Path) -> None:
    (own_bundle / "vocabulary.json").unlink()
    _, _, done = run({}, bundle=own_bundle)
    assert done.returncode == 1
    assert "BundleError" in done.stderr
    assert "vocabulary.json is missing" in done.stderr
