# SPDX-License-Identifier: Apache-2.0
"""Run the program that reads pages, and print what each core has done for each of its networks."""

import json
import runpy
import sys

sys.argv = sys.argv[1:]
engine = runpy.run_path(sys.argv[0])["engine"]
sessions = [engine.text_det.infer.session, engine.text_cls.infer.session, engine.text_rec.session.session]
print(json.dumps([[core.completed for core in session.stats.cores.values()] for session in sessions]))
