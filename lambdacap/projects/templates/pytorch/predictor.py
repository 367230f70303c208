"""The edges in a picture, by PyTorch."""

import torch
from PIL import Image

model = torch.nn.Conv2d(1, 2, kernel_size=3, padding=1, padding_mode="replicate", bias=False)


def setup() -> None:
    """Once, while the function starts: here Sobel's filters; else `model.load_state_dict(torch.load("weights.pt"))`."""
    across = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    model.load_state_dict({"weight": torch.stack([across, across.T]).unsqueeze(1)})


@torch.inference_mode()
def predict(photo: Image.Image) -> Image.Image:
    """The photo's edges, white on black."""
    grey = photo.convert("L")
    pixels = torch.frombuffer(bytearray(grey.tobytes()), dtype=torch.uint8).view(1, 1, grey.height, grey.width)
    strength = model(pixels / 255).norm(dim=1).clamp(max=1)
    return Image.frombytes("L", grey.size, bytes((strength * 255).byte().flatten().tolist()))
