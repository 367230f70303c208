"""What kind of file a file is, by an ONNX model that comes in a package."""

import json
from importlib.resources import files

import numpy as np
import onnxruntime

MODEL = files("magika") / "models" / "standard_v3_3"  # else Path(__file__).with_name("model.onnx")
config = json.loads((MODEL / "config.min.json").read_text("utf-8"))
session = onnxruntime.InferenceSession(str(MODEL / "model.onnx"))


def predict(file: bytes, top: int = 3) -> dict[str, float]:
    """The most probable kinds of a file, by its content alone, with their probabilities."""
    size, padding = config["beg_size"], config["padding_token"]
    begin, end = file[: config["block_size"]].lstrip()[:size], file[-config["block_size"] :].rstrip()[-size:]
    tokens = [*begin, *[padding] * (size - len(begin)), *[padding] * (size - len(end)), *end]
    (shares,) = session.run(["target_label"], {"bytes": np.array([tokens], np.int32)})[0]
    best = np.argsort(-shares)[:top]
    return {config["target_labels_space"][i]: round(float(shares[i]), 3) for i in best}
