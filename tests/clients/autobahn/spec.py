"""Prints the specification of a run for `wstest -m fuzzingclient`, or `-m fuzzingserver` with
--server. Python 2.7, like the suite.

    spec.py [--server] <ws-url> <out-dir> <pattern,...>

The patterns are resolved here, with the suite's own code, because wstest waits forever when no
case matches, and because check.py must know which cases should have run.
"""

import json
import sys

from autobahntestsuite.case import CaseBasename, CaseCategories, Cases, CaseSetname, CaseSubCategories
from autobahntestsuite.caseset import CaseSet

arguments = sys.argv[1:]
serves = arguments[0] == "--server"
url, folder, patterns = arguments[serves:]
known = CaseSet(CaseSetname, CaseBasename, Cases, CaseCategories, CaseSubCategories)
cases = known.parseSpecCases({"cases": patterns.split(",")})
if not cases or not set(cases) <= set(known.CasesById):
    sys.exit("error: the suite has no cases %s" % patterns)
specification = {"outdir": folder, "cases": cases}
if serves:
    specification["url"] = url
else:
    specification["servers"] = [{"agent": "server", "url": url}]
print(json.dumps(specification, indent=2))
