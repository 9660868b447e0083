"""Many HTTP clients at once through one proxy, each with several requests of random sizes on its one connection.

The backend and the clients live in one event loop. What a client gets from a file, and where in its stream, is kept:
it may have gone by sendfile, of which a trail can only tell the length.
"""

import asyncio
import random

from .traffic import DEADLINE_S, MIB, Line, text_bytes


class Request:
    def __init__(self, path, body, answer, is_file=False):
        self.path, self.body, self.answer, self.is_file = path, body, answer, is_file


class Browsing:
    """One client's plan, and what came of it."""

    def __init__(self, number, dice, files, largest):
        self.dice, self.line, self.requests = dice, None, []
        self.unseen = []  # (offset, length) of what came from files, in what the client has received
        for step in range(dice.randint(1, 5)):
            size = largest if number == step == 0 else int(2 ** dice.uniform(0, largest.bit_length() - 1))
            if files and dice.random() < 0.4:
                name = dice.choice(sorted(files))
                self.requests.append(Request(f"/files/{name}", b"", files[name], is_file=True))
            else:
                body = text_bytes(dice, size) if dice.random() < 0.4 else dice.randbytes(size)
                self.requests.append(Request(f"/post/{number}/{step}", body, dice.randbytes(size)))


def plan(count, seed, files=None, largest=MIB // 2):
    return [Browsing(number, random.Random(f"{seed} {number}"), files or {}, largest) for number in range(count)]


def run(host, port, browsings, prefix=""):
    """`prefix`: what stands before a path where the proxy wants a whole URL. Every byte arrived, or it raises."""

    async def everything():
        answers = {request.path: request for each in browsings for request in each.requests}
        serve = _Backend(answers).serve
        async with await asyncio.start_server(serve, "127.0.0.1", host.backend_port, backlog=512):
            for each in browsings:
                each.line = Line(*await asyncio.open_connection("127.0.0.1", port))
            await asyncio.gather(*(_browse(each, prefix) for each in browsings))

    asyncio.run(asyncio.wait_for(everything(), DEADLINE_S))


async def _browse(browsing, prefix):
    line = browsing.line
    for request in browsing.requests:
        method = b"POST" if request.body else b"GET"
        head = b"%b %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
        head %= (method, (prefix + request.path).encode(), len(request.body))
        await line.send_in_pieces(head + request.body, browsing.dice)
        status, length = await _head(line)
        assert (status, length) == ("200", len(request.answer)), f"{request.path}: {status}, {length} bytes"
        begin = len(line.received)
        if request.is_file and length:
            browsing.unseen.append((begin, length))
        await line.receive(length)
        assert line.received[begin:] == request.answer, f"{request.path}: another answer than expected"
    await line.close()


async def _head(line):
    """(second word of the first line, Content-Length)"""
    begin = len(line.received)
    await line.receive(1)  # what went before may have ended with an empty line
    await line.receive_until(b"\r\n\r\n")
    lines = line.received[begin:].decode().split("\r\n")
    fields = {name.lower(): value for name, _, value in (field.partition(": ") for field in lines[1:])}
    return lines[0].split()[1], int(fields.get("content-length", 0))


class _Backend:
    """Keeps its connections; answers each path with what is planned for it."""

    def __init__(self, answers):
        self._answers = answers

    async def serve(self, reader, writer):
        line = Line(reader, writer)
        try:
            while True:
                path, length = await _head(line)
                begin = len(line.received)
                await line.receive(length)
                request = self._answers[path]
                right = line.received[begin:] == request.body
                status = b"200 OK" if right else b"400 Other bytes than the client sent"
                await line.send(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n" % (status, len(request.answer)))
                await line.send(request.answer)
        except (EOFError, ConnectionError, asyncio.CancelledError):
            pass  # the proxy has enough, or the clients have and the proxy keeps its connection
        finally:
            await line.close()
