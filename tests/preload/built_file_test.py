"""The built libsidrec.so: what it exports, needs and imports."""

import re
import subprocess
import unittest
from pathlib import Path

import recorded_run

EXPORTS_MAP = Path(__file__).resolve().parents[2] / "shim" / "exports.map"

HEAP = {"malloc", "calloc", "realloc", "reallocarray", "free", "posix_memalign", "aligned_alloc", "memalign", "valloc",
        "pvalloc", "strdup", "strndup", "asprintf", "vasprintf", "getline", "getdelim", "open_memstream"}
STDIO = re.compile(r"(v?[fsd]?n?printf|v?(fs|fd)?printf|puts?|putchar|perror|std(in|out|err)|psignal|syslog|vsyslog)"
                   r"|f(open|close|read|write|puts|putc|gets|getc|flush|seek|tell|dopen|reopen|scanf)(64)?"
                   r"|__\w*printf_chk|getc|putc|ungetc|setv?buf")
LOCKS = re.compile(r"pthread_(mutex|rwlock|spin|cond|barrier|once|key|create|getspecific|setspecific)\w*"
                   r"|call_once|mtx_\w+|cnd_\w+|thrd_\w+|tss_\w+|sem_\w+")


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def symbols(which):
    """Name to type letter of the dynamic symbols."""
    found = {}
    for line in output("nm", "-D", which, recorded_run.SHIM).splitlines():
        kind, name = line.split()[-2:]
        found[name.split("@")[0]] = kind
    return found


def exports_of_map():
    text = re.sub(r"/\*.*?\*/|#[^\n]*|//[^\n]*", "", EXPORTS_MAP.read_text(), flags=re.S)
    listed = re.search(r"global:(.*?)local:\s*\*;", text, flags=re.S).group(1)
    return {name.strip() for name in listed.split(";") if name.strip()}


class BuiltFileTest(unittest.TestCase):
    def test_exports_equal_the_map(self):
        self.assertEqual(set(symbols("--defined-only")), exports_of_map())

    def test_every_hook_of_the_promise_is_exported(self):
        promised = """accept accept4 listen connect socketpair pipe pipe2
            read readv recv recvfrom recvmsg recvmmsg __read_chk __recv_chk __recvfrom_chk
            write writev send sendto sendmsg sendmmsg sendfile sendfile64 splice
            close close_range closefrom shutdown dup dup2 dup3 fcntl fcntl64"""
        self.assertLessEqual(set(promised.split()), set(symbols("--defined-only")))

    def test_libc_is_all_it_needs(self):
        dynamic = output("readelf", "-dW", recorded_run.SHIM)
        self.assertEqual(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic), ["libc.so.6"])
        self.assertNotRegex(dynamic, r"\((RPATH|RUNPATH|TEXTREL)\)")

    def test_its_thread_local_storage_is_static(self):
        self.assertNotIn("__tls_get_addr", symbols("--undefined-only"))
        self.assertNotRegex(output("readelf", "-rW", recorded_run.SHIM), r"DTPMOD|DTPOFF|TLSDESC")

    def test_it_imports_no_heap(self):
        self.assertEqual(HEAP & set(symbols("--undefined-only")), set())

    def test_it_imports_no_stdio(self):
        self.assertEqual([name for name in symbols("--undefined-only") if STDIO.fullmatch(name)], [])

    def test_it_imports_no_threads_and_no_locks(self):
        self.assertEqual([name for name in symbols("--undefined-only") if LOCKS.fullmatch(name)], [])

    def test_it_imports_nothing_of_the_cxx_runtime(self):
        imported = symbols("--undefined-only")
        self.assertEqual([name for name in imported if name.startswith(("_Z", "_Unwind", "__gxx"))], [])
        self.assertLessEqual({name for name in imported if name.startswith("__cxa")}, {"__cxa_finalize"})

    def test_its_stack_is_not_executable_and_its_relocations_are_read_only(self):
        headers = output("readelf", "-lW", recorded_run.SHIM)
        self.assertRegex(headers, r"GNU_STACK.*\bRW\b")
        self.assertIn("GNU_RELRO", headers)


if __name__ == "__main__":
    unittest.main()
