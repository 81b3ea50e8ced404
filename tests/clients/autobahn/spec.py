"""Prints the specification of a run for `wstest -m fuzzingclient`. Python 2.7, like the suite.

    spec.py <ws-url> <out-dir> <pattern,...>

The patterns are resolved here, with the suite's own code, because wstest waits forever when no
case matches, and because check.py must know which cases should have run.
"""

import json
import sys

from autobahntestsuite.case import CaseBasename, CaseCategories, Cases, CaseSetname, CaseSubCategories
from autobahntestsuite.caseset import CaseSet

url, folder, patterns = sys.argv[1:]
known = CaseSet(CaseSetname, CaseBasename, Cases, CaseCategories, CaseSubCategories)
cases = known.parseSpecCases({"cases": patterns.split(",")})
if not cases or not set(cases) <= set(known.CasesById):
    sys.exit("error: the suite has no cases %s" % patterns)
specification = {
    "outdir": folder,
    "servers": [{"agent": "server", "url": url}],
    "cases": cases,
}
print(json.dumps(specification, indent=2))
