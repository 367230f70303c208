"""The demo model: a small captioner that has learned to say what is on rendered scenes.

It has the published model's structure (Xu et al. 2015, "Show, Attend and Tell", https://arxiv.org/abs/1502.03044)
at a hundredth of its size, so that every command of lambdacap works before anyone has downloaded 240 MB.

- `scenes`: what can be on a scene, and the sentence that is true of it
- `painter`: a scene as a picture
- `vocabulary`: the words, and captions as indices
- `network`, `train`: the PyTorch model and its training
- `export`: a trained checkpoint → `bundle/`
- `evaluate`: fresh scenes through the bundle and the real captioner

`image/` on `PYTHONPATH`, then `python -m demo.train`, `python -m demo.export`, `python -m demo.evaluate`.
"""
