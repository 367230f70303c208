"""What the published code says of pictures, one JSON object a line: `python -m tests.published.say MODEL PICTURE…`.

With `synthetic:N` instead of pictures: N of the converter's own.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

import joblib
from captioner.torch_network import resnet_class
from convert.pictures import synthetic
from PIL import Image

from tests.published import under_published_names


def main() -> None:
    parser = argparse.ArgumentParser(description="Caption pictures the plain way.")
    parser.add_argument("model", type=Path)
    parser.add_argument("pictures", nargs="+")
    parser.add_argument("--beams", type=int, nargs="+", default=[3])
    arguments = parser.parse_args()
    under_published_names()
    resnet_class()  # torchvision, also where its operators are missing
    warnings.simplefilter("ignore")  # torch complains about the storages in the pickle
    model = joblib.load(arguments.model)
    first = str(arguments.pictures[0])
    made = synthetic(int(first.partition(":")[2])) if first.startswith("synthetic:") else None
    for image in made or map(Image.open, arguments.pictures):
        for beam in arguments.beams:
            said = model(image, beam)
            line = {"beam": beam, "words": said.words, "log_probability": said.score, "attention": said.alphas}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
