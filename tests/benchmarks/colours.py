"""Every form of picture × who sees it: the function, the client, Chromium and ImageMagick, in a table.

python tests/benchmarks/colours.py [--scenes 3] [--only WORD] [--without-browser]

Right is what Chromium shows; of TIFF and HEIC, which it does not, what ImageMagick reads. Two agree when the model says
the same of both, or when they differ by at most 3 of 255 on average. A form that is refused by name is "not supported".
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import io
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "image")]

from captioner.bundle import Bundle  # noqa: E402
from captioner.caption import Captioner  # noqa: E402
from demo.painter import render  # noqa: E402
from demo.scenes import random_scene  # noqa: E402
from serving import picture  # noqa: E402
from serving.seen import as_seen  # noqa: E402

from lambdacap.client.photo import prepare  # noqa: E402
from lambdacap.errors import PhotoError  # noqa: E402
from tests.browser import chromium  # noqa: E402
from tests.image.kinds import kinds  # noqa: E402
from tests.image.samples import Sample, forms  # noqa: E402

CLOSE = 3.0  # of 255
Seen = Image.Image | str
DRAWN = """async content => {
  const bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0));
  let seen;
  try { seen = await createImageBitmap(new Blob([bytes])); } catch { return null; }
  const canvas = Object.assign(document.createElement("canvas"), { width: seen.width, height: seen.height });
  const pen = canvas.getContext("2d");
  pen.fillStyle = "white";
  pen.fillRect(0, 0, seen.width, seen.height);
  pen.drawImage(seen, 0, 0);
  return canvas.toDataURL("image/png").split(",")[1];
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Every form of picture × who sees it.")
    parser.add_argument("--scenes", type=int, default=3, help="painted scenes (default: %(default)s)")
    parser.add_argument("--only", default="", help="only the forms with this in their names")
    parser.add_argument("--without-browser", action="store_true")
    arguments = parser.parse_args()
    model = Captioner(Bundle.load(ROOT / "image" / "demo" / "bundle"))
    total: Counter[str] = Counter()
    forms_seen = 0
    with contextlib.ExitStack() as stack:
        browser = None if arguments.without_browser else stack.enter_context(_chromium())
        for samples in zip(*(files(seed) for seed in range(arguments.scenes)), strict=True):
            if arguments.only not in samples[0].name:
                continue
            forms_seen += 1
            verdicts = [verdict(sample, model, browser) for sample in samples]
            total.update(verdicts)
            print(f"{samples[0].name:<48} {', '.join(dict.fromkeys(verdicts))}", flush=True)
    print(f"{forms_seen} forms of {arguments.scenes} scenes: " + ", ".join(f"{n} {v}" for v, n in total.most_common()))
    sys.exit(any("differ" in verdict for verdict in total))


def files(seed: int) -> Iterator[Sample]:
    """A painted scene in every form and kind."""
    rng = np.random.default_rng(seed)
    scene = render(random_scene(rng), rng).resize((240, 240), Image.Resampling.LANCZOS)
    yield from forms(scene)
    yield from kinds(scene)


def verdict(sample: Sample, model: Captioner, browser: Callable[[bytes], Seen] | None) -> str:
    """Whether all agree on a file, in words."""
    function, client = by_function(sample.data), by_client(sample.data)
    others = {"function": function, "client": client, "ImageMagick": by_imagemagick(sample)}
    if browser is not None:
        others["Chromium"] = browser(sample.data)
    truth = next((o for o in (others.get("Chromium"), others["ImageMagick"]) if isinstance(o, Image.Image)), None)
    if isinstance(function, str) or isinstance(client, str):
        refused = [seen for seen in (function, client) if isinstance(seen, str)]
        if len(refused) == 2 and all("not supported" in words for words in refused):
            return "not supported"
        return "refused" if len(refused) == 2 and truth is None else f"differ: {refused[0]}"
    if truth is None:
        return "only we read it"
    away = [who for who in ("function", "client") if not agree(others[who], truth, model)]
    told = others["ImageMagick"]
    aside = "" if isinstance(told, str) or agree(told, truth, model) else " (ImageMagick apart)"
    return f"differ: {' and '.join(away)}" if away else f"agree{aside}"


def agree(one: Seen, other: Image.Image, model: Captioner) -> bool:
    if isinstance(one, str):
        return False
    if one.size == other.size:
        distance = np.abs(np.asarray(one, np.float32) - np.asarray(other, np.float32)).mean()
        if distance <= CLOSE:
            return True
    said, meant = (model.caption(image, beam=3, attention=False)["caption"] for image in (one, other))
    return said == meant


def by_function(data: bytes) -> Seen:
    try:
        return picture.read(data).image
    except (picture.UnsupportedImageError, picture.ImageTooLargeError) as error:
        return str(error)


def by_client(data: bytes) -> Seen:
    """What the function sees of what the client sends."""
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(data)
        try:
            return by_function(prepare(Path(file.name)).content)
        except PhotoError as error:
            return error.message


def by_libheif(data: bytes) -> Seen:
    """By its own program, for ImageMagick 6 leaves alpha out of HEIC: Debian's libheif-examples."""
    if shutil.which("heif-convert") is None:
        return "there is no heif-convert"
    with tempfile.TemporaryDirectory() as folder:
        file, png = Path(folder, "in.heic"), Path(folder, "out.png")
        file.write_bytes(data)
        subprocess.run(["heif-convert", file, png], capture_output=True, check=True, timeout=60)
        return as_seen(Image.open(png))


def by_imagemagick(sample: Sample) -> Seen:
    if sample.kind == "HEIF" and "alpha" in sample.name:
        return by_libheif(sample.data)
    given = {"HEIF": "heic", "JPEG": "jpeg"}.get(sample.kind, sample.kind.lower())
    command = ["convert", "-quiet", f"{given}:-[0]"]
    command += [] if sample.kind in ("WEBP", "HEIF", "AVIF") else ["-auto-orient"]
    with tempfile.NamedTemporaryFile(suffix=".icc") as profile:
        profile.write(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
        profile.flush()
        command += ["-profile", profile.name] if "ICC" in sample.name else []
        command += ["-background", "white", "-flatten", "-colorspace", "sRGB", "-depth", "8", "png24:-"]
        done = subprocess.run(command, input=sample.data, capture_output=True, check=False, timeout=60)
    if done.returncode or not done.stdout:
        return done.stderr.decode("utf-8", "replace")[:200]
    return Image.open(io.BytesIO(done.stdout)).convert("RGB")


@contextlib.contextmanager
def _chromium() -> Iterator[Callable[[bytes], Seen]]:
    path = chromium.executable()
    if path is None:
        sys.exit("there is no Chromium: tests/browser/install installs one on Debian, or say --without-browser")
    with chromium.running(path) as browser:
        page = browser.new_page()

        def seen(data: bytes) -> Seen:
            drawn = page.evaluate(DRAWN, base64.b64encode(data).decode())
            return Image.open(io.BytesIO(base64.b64decode(drawn))).convert("RGB") if drawn else "not shown"

        yield seen


if __name__ == "__main__":
    main()
