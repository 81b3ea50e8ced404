"""Judges the report that the Autobahn TestSuite left in a folder.

    check.py <out-dir> [--agent NAME] [--strict]

Prints every case that is not OK, and a summary. Exits 1 if a case is missing, if its behaviour is
not OK or NON-STRICT (with --strict: not OK), or if its closing behaviour is not OK.
"""

import argparse
import json
import os
import sys

# These only observe what a server does where the RFC leaves it open; the suite never fails them.
INFORMATIONAL_CASES = {"7.1.6", "7.13.1", "7.13.2"}


def last_lines(log_path, count=5):
    with open(log_path, encoding="utf-8", errors="replace") as log:
        return "".join(f"  | {line.rstrip():.160}\n" for line in log.readlines()[-count:])


def main(folder, agent, strict):
    log_path = os.path.join(folder, "wstest.log")
    report_path = os.path.join(folder, "index.json")
    if not os.path.exists(report_path):
        print("the suite wrote no report; its last words:\n" + last_lines(log_path), end="")
        return 1
    with open(report_path) as report:
        results = json.load(report).get(agent, {})
    # A case that never ran leaves no trace in the report, only in what was asked for.
    with open(os.path.join(folder, "spec.json")) as specification:
        planned = json.load(specification)["cases"]

    ok = informational = non_strict = failed = close_not_ok = 0
    for case in planned:
        if case not in results:
            continue
        result = results[case]
        behaviour, close = result["behavior"], result["behaviorClose"]
        accepted = {"OK"} | ({"INFORMATIONAL"} if case in INFORMATIONAL_CASES else set())
        ok += behaviour == "OK"
        informational += behaviour == "INFORMATIONAL" and behaviour in accepted
        non_strict += behaviour == "NON-STRICT"
        failed += behaviour not in accepted and behaviour != "NON-STRICT"
        close_not_ok += close not in accepted
        if behaviour not in accepted or close not in accepted:
            page = result["reportfile"].replace(".json", ".html")
            print(f"{case}: {behaviour}, close {close} ({result['remoteCloseCode']})  {page}")

    missing = [case for case in planned if case not in results]
    if missing:
        print(f"{len(missing)} cases never ran, from {missing[0]} on:\n" + last_lines(log_path), end="")

    print(f"{ok} OK, {non_strict} non-strict, {failed} failed, {close_not_ok} close not OK", end="")
    print(f"; {informational} informational, {len(missing)} missing, of {len(planned)}")
    bad = failed or close_not_ok or missing or (strict and non_strict)
    return 1 if bad else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--agent", default="server")
    parser.add_argument("--strict", action="store_true")
    arguments = parser.parse_args()
    sys.exit(main(arguments.folder, arguments.agent, arguments.strict))
