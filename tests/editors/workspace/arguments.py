"""Writes its arguments beside itself."""

import pathlib
import sys

pathlib.Path(__file__).with_name("arguments.txt").write_text("|".join(sys.argv[1:]))
