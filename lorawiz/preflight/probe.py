"""`python -m lorawiz.preflight.probe`: what torch finds here, as one line of JSON."""

import json
import sys


def main() -> None:
    import torch

    if torch.cuda.is_available():
        facts = {
            "device": "cuda",
            "device_name": torch.cuda.get_device_name(0),
            "device_bytes": torch.cuda.get_device_properties(0).total_memory,
            "bf16": torch.cuda.is_bf16_supported(),
            "num_devices": torch.cuda.device_count(),
        }
    elif torch.backends.mps.is_available():
        facts = {"device": "mps", "device_name": "Apple GPU", "device_bytes": 0, "bf16": True}
    else:
        facts = {"device": "cpu", "device_name": "CPU", "device_bytes": 0, "bf16": True}
    sys.stdout.write(json.dumps({"version": torch.__version__, **facts}) + "\n")


if __name__ == "__main__":
    main()
