"""Runs one end-to-end test, for ctest: run.py FILE METHOD. Exit code 0 passed, 1 failed, 77 skipped.

By hand, all of a file or those that match: SIDREC_BUILD=build/release python3 tests/e2e/run.py FILE [METHOD]
"""

import importlib
import os
import resource
import sys
import unittest

SKIPPED = 77  # ctest's SKIP_RETURN_CODE


def main():
    here = os.path.dirname(os.path.realpath(__file__))
    sys.path.insert(0, here)
    sys.dont_write_bytecode = True
    module = importlib.import_module(os.path.basename(sys.argv[1]).removesuffix(".py"))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    loader = unittest.TestLoader()
    if len(sys.argv) > 2:
        loader.testNamePatterns = ["*." + sys.argv[2]]
    suite = loader.loadTestsFromModule(module)
    if suite.countTestCases() == 0:
        print(f"no such test: {' '.join(sys.argv[1:])}", file=sys.stderr)
        return 1
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    if not result.wasSuccessful():
        return 1
    return SKIPPED if len(result.skipped) == result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
