"""Makes the pictures of the pages, `python docs/pictures/make.py`: it runs chain and grid and copies their figures."""

from __future__ import annotations

import tempfile
from pathlib import Path

from PIL import Image

import framework

HERE = Path(__file__).parent


def main() -> None:
    """Train both environments with seed 0 and replace the pictures beside this file."""
    for environment in ("chain", "grid"):
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / environment
            framework.train(framework.assemble(f"tabular,{environment}"), run)
            # lines and letters need few colours, and the file is four times smaller
            Image.open(run / "curves.png").convert("RGB").quantize(64).save(HERE / f"{environment}.png", optimize=True)


if __name__ == "__main__":
    main()
