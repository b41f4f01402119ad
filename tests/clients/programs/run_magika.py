# SPDX-License-Identifier: Apache-2.0
"""Tell what kind of file something is (magika), several at once."""

import json
from pathlib import Path

from magika import Magika

text = Path(__file__).read_bytes() * 4
contents = [text, b"#!/bin/sh\nset -e\nfor f in *; do echo $f; done\n" * 9, json.dumps({"a": [1, 2]}).encode() * 90]
magika = Magika()
print(json.dumps([str(magika.identify_bytes(each).output.label) for each in contents]))
