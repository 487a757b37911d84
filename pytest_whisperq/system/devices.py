"""What a model can be computed on, by name.

Loaded by every pytest run that has the plugin installed, so that it imports nothing.
"""

CPU = "cpu"
DEVICES = (CPU, "cuda")
"""What ``--whisperq-device`` may say, by the names that PyTorch and CTranslate2 share."""

OPTION = "--whisperq-device"


def on(device: str) -> str:
    """Return what the name of something ends in that runs on a device: nothing for the CPU.

    >>> f"float16{on('cuda')}", f"float16{on('cpu')}"
    ('float16 on cuda', 'float16')
    """
    return "" if device == CPU else f" on {device}"
