"""Many connections at once through one proxy, of which every byte is known.

An Exchange is one connection's plan: what the client sends, what the backend answers, who ends it and how. Its first
byte (two, beyond 256) is its number: by it the backend, which sees only the proxy, knows whom it talks to. Both
ends live in one event loop, so either can wait until the other has everything.
"""

import asyncio
import enum
import random

from .host import Host

MIB = 1024 * 1024
DEADLINE_S = 90


class Ending(enum.Enum):
    CLIENT_CLOSES = 1
    BACKEND_CLOSES = 2
    CLIENT_HALF_CLOSES = 3  # the backend keeps half of its answer until it has seen the end of input
    BACKEND_HALF_CLOSES = 4  # the client keeps half of its bytes until it has seen the end of the answer
    CLIENT_HALF_CLOSES_LAST = 5  # when both have everything: what every proxy can pass on


WITHOUT_HALF_CLOSE = [Ending.CLIENT_CLOSES, Ending.BACKEND_CLOSES, Ending.CLIENT_HALF_CLOSES_LAST]


def key_bytes(count):
    return 1 if count <= 256 else 2


class Exchange:
    def __init__(self, number, request, answer, ending, source="127.0.0.1"):
        self.number, self.request, self.answer, self.ending, self.source = number, request, answer, ending, source
        self.line = None  # the client's side: what it really sent and received
        self.backend_received = b""
        self.backend_has_all = asyncio.Event()
        self.client_has_all = asyncio.Event()


class Line:
    """One side of a TCP connection that counts."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.sent, self.received = bytearray(), bytearray()
        self.address = writer.get_extra_info("sockname")[:2]

    async def send(self, data):
        self.writer.write(data)
        self.sent += data
        await self.writer.drain()

    async def send_in_pieces(self, data, dice):
        position = 0
        while position < len(data):
            size = dice.choice((dice.randint(1, 64), dice.randint(1, 4096), dice.randint(1, len(data) // 2 + 1)))
            await self.send(data[position : position + size])
            position += size
            await asyncio.sleep(0)

    async def receive(self, count):
        while count > 0:
            part = await self.reader.read(min(count, 65536))
            if not part:
                raise EOFError(f"the connection ended with {count} bytes missing")
            self.received += part
            count -= len(part)

    async def receive_until(self, mark):
        while not self.received.endswith(mark):
            await self.receive(1)

    async def receive_to_the_end(self):
        while part := await self.reader.read(65536):
            self.received += part

    def end_of_output(self):
        self.writer.write_eof()

    async def close(self):
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            pass


def text_bytes(dice, size):
    """Valid UTF-8 with everything that needs an escape in JSON; cut anywhere it may be valid no more."""
    alphabet = 'abc 012\r\n\t"\\/<&\x00\x1b\x7f' + "äß€漢😀\u2028"
    return "".join(dice.choices(alphabet, k=size)).encode()[:size]


def plan(count, seed, half_close=True, largest=MIB, sources=("127.0.0.1",), endings=None):
    """`count` exchanges, the smallest and the largest size among them in both directions."""
    dice = random.Random(seed)
    endings = endings or (list(Ending) if half_close else WITHOUT_HALF_CLOSE)

    def size(number):
        if number < 2:
            return largest if number else 1
        return min(largest, int(2 ** dice.uniform(0, largest.bit_length())))

    def content(length):
        return text_bytes(dice, length) if dice.random() < 0.4 else dice.randbytes(length)

    key, exchanges = key_bytes(count), []
    for number in range(count):
        request = number.to_bytes(key, "big") + content(max(0, size(number) - key))
        answer = content(size((number + 1) % count if number < 2 else number))
        source = sources[number % len(sources)]
        exchanges.append(Exchange(number, request, answer, endings[number % len(endings)], source))
    return exchanges


def run(host: Host, exchanges, seed):
    """All connections are open before the first byte; returns when all have ended. Every byte arrived, or it raises."""

    async def everything():
        serve = Backend(exchanges, seed).serve
        async with await asyncio.start_server(serve, "127.0.0.1", host.backend_port, backlog=4096):
            for exchange in exchanges:
                await open_line(host, exchange)
            await asyncio.gather(*(client_side(each, random.Random(seed + each.number)) for each in exchanges))
        for exchange in exchanges:
            check_arrival(exchange)

    asyncio.run(asyncio.wait_for(everything(), DEADLINE_S))


async def open_line(host, exchange):
    source = None if exchange.source == "127.0.0.1" else (exchange.source, 0)
    exchange.line = Line(*await asyncio.open_connection("127.0.0.1", host.port, local_addr=source, ssl=host.tls))
    await host.greet(exchange.line)
    exchange.greeting = len(exchange.line.sent), len(exchange.line.received)


async def client_side(exchange, dice):
    line, ending = exchange.line, exchange.ending

    async def sending():
        kept = max(0, len(exchange.request) // 2 - 1) if ending is Ending.BACKEND_HALF_CLOSES else 0
        now = len(exchange.request) - kept
        await line.send_in_pieces(exchange.request[:now], dice)
        if kept:
            await exchange.client_has_all.wait()
            await line.send_in_pieces(exchange.request[now:], dice)
        if ending is Ending.CLIENT_HALF_CLOSES:
            line.end_of_output()

    async def receiving():
        if ending in (Ending.CLIENT_CLOSES, Ending.CLIENT_HALF_CLOSES_LAST):
            await line.receive(len(exchange.answer))
        else:
            await line.receive_to_the_end()
        exchange.client_has_all.set()

    await asyncio.gather(sending(), receiving())
    if ending in (Ending.CLIENT_CLOSES, Ending.CLIENT_HALF_CLOSES_LAST):
        await exchange.backend_has_all.wait()
    if ending is Ending.CLIENT_HALF_CLOSES_LAST:
        line.end_of_output()
        await line.receive_to_the_end()
    await line.close()
    await exchange.backend_has_all.wait()


class Backend:
    def __init__(self, exchanges, seed):
        self.exchanges, self.seed = exchanges, seed
        self.key_bytes = key_bytes(len(exchanges))

    async def serve(self, reader, writer):
        line = Line(reader, writer)
        try:
            await line.receive(self.key_bytes)
            number = int.from_bytes(line.received[: self.key_bytes], "big")
            await self.answer(line, self.exchanges[number], random.Random(-self.seed - number))
        except (EOFError, ConnectionError):
            pass  # seen by the client, which has not got everything
        finally:
            await line.close()

    async def answer(self, line, exchange, dice):
        async def sending():
            kept = len(exchange.answer) // 2 if exchange.ending is Ending.CLIENT_HALF_CLOSES else 0
            now = len(exchange.answer) - kept
            await line.send_in_pieces(exchange.answer[:now], dice)
            if kept:
                await exchange.backend_has_all.wait()
                await line.send_in_pieces(exchange.answer[now:], dice)
            if exchange.ending is Ending.BACKEND_HALF_CLOSES:
                line.end_of_output()

        async def receiving():
            try:
                if exchange.ending in (Ending.CLIENT_HALF_CLOSES, Ending.BACKEND_HALF_CLOSES):
                    await line.receive_to_the_end()
                else:
                    await line.receive(len(exchange.request) - len(line.received))
            finally:
                exchange.backend_received = bytes(line.received)
                exchange.backend_has_all.set()

        await asyncio.gather(sending(), receiving())
        if exchange.ending in (Ending.CLIENT_CLOSES, Ending.CLIENT_HALF_CLOSES_LAST):
            await line.receive_to_the_end()


def check_arrival(exchange):
    sent, received = exchange.greeting
    who = f"exchange {exchange.number} ({exchange.ending.name})"
    assert exchange.line.sent[sent:] == exchange.request, f"{who}: the client did not send all"
    assert exchange.backend_received == exchange.request, f"{who}: the backend got other bytes than the client sent"
    answer = exchange.line.received[received:]
    assert answer == exchange.answer, f"{who}: the client got other bytes than the backend sent"
