"""Inputs that no client sends: FTP command lines and TFTP packets, some right, most spoilt."""

from __future__ import annotations

import random
import struct
from typing import Callable, Sequence

LOGIN = b"USER ann\r\nPASS se:cret\r\n"
_VERBS = [
    *([b"TYPE", b"MODE", b"STRU", b"PASV", b"EPSV", b"PORT", b"EPRT", b"SIZE", b"NLST", b"LIST",
       b"RETR", b"STOR", b"NOOP", b"SYST", b"PWD", b"CWD", b"CDUP"] * 8),
    b"USER", b"USER", b"PASS", b"REST", b"ABOR", b"SITE", b"FEAT", b"XPWD", b"retr", b"", b" ",
    b"R", b"RETRRETR", b"\xff\xf4\xff\xf2ABOR", b"\xff\xff", b"%s%n", b"STOR\0", b"QUITE", b"\t",
]
_WORDS = [
    b"", b"file", b"file", b"file", b"in/file", b"in", b"/", b"/in/file", b"..", b"../..", b".",
    b"in/../file", b"../../etc/passwd", b"//in//file", b"in/", b"link", b"fifo", b"nothing",
    b"a b  c", b" file", b"-la", b"-a -l in", b"-", b"%s%s%n%x", b"\0file", b"fi\0le", b'"', b'a"b',
    b"\xff\xfe\xfd", b"\xc3\xa9", b"\x1b[2J", b"fi\rle", b"\\..\\file", b".hidden", b"A", b"I",
    b"L 8", b"E", b"A N", b"A T", b"S", b"F", b"ALL", b"0", b"1", b"2", b"3", b"127,0,0,1,200,10",
    b"127,0,0,1,0,20", b"1,2,3,4,5,6", b"127,0,0,1", b"999,0,0,1,1,1", b"-1,0,0,1,1,1", b",,,,,",
    b"|1|127.0.0.1|60000|", b"|2|::1|60000|", b"|1|10.0.0.1|60000|", b"|||60000|", b"||||", b"|",
    b"|1|127.0.0.1|99999|", b"|9|x|1|", b"1" * 400, b"A" * 300, b"/a" * 2100, b"x" * 4094,
    b"x" * 4095, b"x" * 4096, b"x" * 9000, b"../" * 1400,
]
_ENDS = [b"\r\n"] * 6 + [b"\n", b"\n", b"\r\r\n", b"\n\n", b"\0\r\n", b" \r\n", b"\xff\r\n"]
_MODES = [b"octet"] * 6 + [b"OCTET", b"netascii", b"mail", b"", b"octet\0octet", b"o" * 300]
_OPTIONS = [b"blksize", b"tsize", b"timeout", b"windowsize", b"BLKSIZE", b"multicast", b"", b"%n"]
_VALUES = [b"0", b"1", b"7", b"8", b"512", b"1428", b"65464", b"65465", b"65535", b"65536", b"-1",
           b"99999999999999999999", b"", b"8x", b" 8", b"%n", b"255", b"256", b"+16", b"0x10"]
_NAMES = [word for word in _WORDS if len(word) < 500]


def spoilt(chance: random.Random, data: bytes) -> bytes:
    """DATA with a few bytes changed, left out, added, moved or repeated."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed) + 1)
        length = chance.choice((1, 1, 1, 2, 3, 8))
        change = chance.randrange(5)
        if change == 0:
            changed[at:at + length] = chance.randbytes(length)
        elif change == 1:
            del changed[at:at + length]
        elif change == 2:
            changed[at:at] = chance.randbytes(length)
        elif change == 3:
            changed[at:at] = changed[at:at + 8 * length] * chance.randint(1, 3)
        elif at < len(changed):
            changed[at] ^= 1 << chance.randrange(8)
    return bytes(changed)


def command(chance: random.Random) -> bytes:
    """One input of a control connection: a line, mostly, or something like it."""
    line = chance.choice(_VERBS) + b" " * (chance.random() < 0.9) + chance.choice(_WORDS)
    line += chance.choice(_ENDS)
    return spoilt(chance, line) if chance.random() < 0.4 else line


def conversation(chance: random.Random, inputs: int) -> bytes:
    """So many INPUTS; in between, what makes them mean something to the server."""
    said = [LOGIN]
    for _ in range(inputs):
        said.append(command(chance))
        if chance.random() < 0.3:
            said.append(chance.choice((b"\r\nEPSV\r\n", b"\r\nPASV\r\n", b"\r\nTYPE I\r\n",
                                       b"\r\nCWD /\r\n", b"\r\n" + LOGIN)))
    return b"".join(said)


def _request(chance: random.Random) -> bytes:
    words = [chance.choice(_NAMES), chance.choice(_MODES)]
    for _ in range(chance.choice((0, 0, 1, 2, 3, 40))):
        words += [chance.choice(_OPTIONS), chance.choice(_VALUES)]
    return struct.pack("!H", chance.randint(1, 2)) + b"".join(word + b"\0" for word in words)


def _block(chance: random.Random) -> bytes:
    return struct.pack("!HH", chance.choice((3, 3, 4)), chance.choice((0, 1, 2, 3, 65535))) \
        + chance.randbytes(chance.choice((0, 0, 1, 511, 512, 513)))


def _error(chance: random.Random) -> bytes:
    return struct.pack("!HH", 5, chance.randrange(10)) + chance.choice((b"", b"why", b"why\0"))


def _oack(chance: random.Random) -> bytes:
    return b"\0\6" + chance.choice(_OPTIONS) + b"\0" + chance.choice(_VALUES) + b"\0"


def _noise(chance: random.Random) -> bytes:
    return chance.randbytes(chance.choice((0, 1, 2, 3, 4, 5, 100, 600)))


def _one_of(
    chance: random.Random, makers: Sequence[Callable[[random.Random], bytes]]
) -> bytes:
    packet = chance.choice(makers)(chance)
    return spoilt(chance, packet) if chance.random() < 0.6 else packet


def first_packet(chance: random.Random) -> bytes:
    """What comes to the server's port: mostly like a request."""
    return _one_of(chance, [_request] * 6 + [_block, _error, _oack, _noise])


def later_packet(chance: random.Random) -> bytes:
    """What comes to a transfer's port."""
    return _one_of(chance, [_block] * 5 + [_request, _oack, _noise])
