"""Many clients at once of a redis-server: pipelined commands of random sizes, each with the one answer it must have."""

import asyncio
import random

from .traffic import DEADLINE_S, MIB, Line, text_bytes


class RedisExchange:
    def __init__(self, number, seed):
        dice = random.Random(f"{seed} {number}")
        self.number, self.dice, self.line = number, dice, None
        self.request, self.answer = bytearray(), bytearray()
        largest = MIB if number == 1 else max(1, int(2 ** dice.uniform(0, 19)))
        key = f"key:{number}".encode()
        value = text_bytes(dice, largest) if dice.random() < 0.5 else dice.randbytes(largest)
        self.add(_command(b"SET", key, value), b"+OK\r\n")
        for _ in range(dice.randint(1, 8)):
            first, last = sorted((dice.randrange(largest), dice.randrange(largest)))
            self.add(_command(b"GETRANGE", key, str(first), str(last)), _bulk(value[first : last + 1]))
            echo = dice.randbytes(dice.randint(0, 2000))
            self.add(_command(b"ECHO", echo), _bulk(echo))
            self.add(b"PING\r\n", b"+PONG\r\n")

    def add(self, command, answer):
        self.request += command
        self.answer += answer


def _bulk(data):
    data = data.encode() if isinstance(data, str) else data
    return b"$%d\r\n%b\r\n" % (len(data), data)


def _command(*words):
    return b"*%d\r\n" % len(words) + b"".join(map(_bulk, words))


def plan(count, seed):
    return [RedisExchange(number, seed) for number in range(count)]


def run(host, exchanges):
    async def one(exchange):
        line = exchange.line
        await asyncio.gather(line.send_in_pieces(exchange.request, exchange.dice), line.receive(len(exchange.answer)))
        await line.close()
        assert line.received == exchange.answer, f"client {exchange.number}: another answer than expected"

    async def everything():
        for exchange in exchanges:
            exchange.line = Line(*await asyncio.open_connection("127.0.0.1", host.port))
        await asyncio.gather(*map(one, exchanges))

    asyncio.run(asyncio.wait_for(everything(), DEADLINE_S))
