"""CPython's own network tests, as Debian packages them (libpython3.11-testsuite). Server and client are one process."""

import os
import xml.etree.ElementTree

from compare import Suite
from one_run import Cannot

PYTHON = "/usr/bin/python3.11"
TESTS = "/usr/lib/python3.11/test"
PARTS = ("test_asyncio", "test_asyncore", "test_asynchat", "test_docxmlrpc", "test_epoll", "test_ftplib", "test_httplib",
         "test_httpservers", "test_imaplib", "test_logging", "test_multiprocessing_fork",
         "test_multiprocessing_forkserver", "test_multiprocessing_spawn", "test_nntplib", "test_os", "test_poll",
         "test_poplib", "test_select", "test_selectors", "test_signal", "test_smtpd", "test_smtplib", "test_socket",
         "test_socketserver", "test_ssl", "test_subprocess", "test_telnetlib", "test_urllib2_localnet", "test_wsgiref",
         "test_xmlrpc")  # fmt: skip
# Waits for ever, bare as well, where the kernel has vsock but no peer.
LEFT_OUT = ("ThreadedVSOCKSocketStreamTest",)


class CPython(Suite):
    name = "cpython"
    what = "CPython's network tests"
    quick = ("test_asyncore", "test_epoll", "test_smtplib", "test_socketserver", "test_telnetlib")
    limit_s = 600

    def prepare(self):
        if not os.path.exists(os.path.join(TESTS, "test_socket.py")):
            raise Cannot("libpython3.11-testsuite is not installed", missing=True)

    def parts(self):
        return PARTS

    def run(self, part, run):
        report = run.path("report.xml")
        left_out = [argument for name in LEFT_OUT for argument in ("--ignore", f"*{name}*")]
        command = [PYTHON, "-m", "test", "-v", "-u", "network", *left_out, "--junit-xml", report, part]
        code = run.execute(command, run.recording(), run.folder, self.limit_s)
        outcomes = {part: {0: "ok", None: "time limit"}.get(code, f"failed ({code})")}
        if os.path.exists(report):
            for case in xml.etree.ElementTree.parse(report).iter("testcase"):
                wrong = [child.tag for child in case if child.tag in ("failure", "error")]
                skipped = case.get("result") != "completed" or case.find("skipped") is not None
                outcomes[case.get("name").removeprefix("test.")] = wrong[0] if wrong else "skipped" if skipped else "ok"
        return outcomes
