# SPDX-License-Identifier: Apache-2.0
"""From an ONNX model to a ``.rknn`` file whose accuracy is known before it reaches a board.

* :mod:`.recipe` is everything that decides the result, as a value and as a TOML file;
* :mod:`.inspection` looks at the ONNX model before anything is built;
* :mod:`.calibration` prepares samples from images, arrays and lists;
* :mod:`.toolkit` finds and installs the vendor's compiler, in an environment of its own; :mod:`.conversation` talks to
  the program that runs there, :mod:`.toolkit_program`;
* :mod:`.building` builds, :mod:`.verification` measures the result on the simulated NPU, :mod:`.tuning` improves it;
* :mod:`.report` is what comes out.

Importing this package imports none of them: a program that only runs models pays nothing for it.
"""
