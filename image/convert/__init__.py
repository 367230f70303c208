"""From the published `model.pickle` to a model bundle: `python -m convert model.pickle -o DIR`.

    opcodes         a pickle → plain values, without running anything that it says, within bounds
    torch_record    torch's records in it → tensors
    pickle_reader   the file → modules and tensors
    published       these → weights by name, the words, the layout, all checked
    encoder,        weights → ONNX graphs, with the algebra that saves work and changes no word
    decoder
    optimise        graph → the file that loads fast: optimised ahead of time, weights beside it and aligned
    int8            graph → the same with 8-bit weights and activations
    parity          the PyTorch reference and the bundle, on the same pictures
    bundle          all of it into a folder
    place           the folder appears whole or not at all, and takes the place of nothing but a bundle

Stands beside the handler since it needs its preprocessing, its search and its reference network, and so that
it can run inside `docker build` as on a user's machine. Of what it needs, torch, torchvision and onnx are not
in the function's image.
"""
