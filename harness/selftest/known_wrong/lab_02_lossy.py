"""Lab 02: programs that give up before TCP does, or a peer that is silent."""

from __future__ import annotations

from known_wrong import KnownWrong

LAB = "02-p2p-chat"
READ = "read(from, buffer, sizeof buffer)"
ACCEPTED = "    if (conn_fd >= 0 && announced)"
CONNECTS = "        if (conn_fd >= 0\n            && connect("
TIME_LIMIT = ("setsockopt(conn_fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ 0, 100000 },"
              " sizeof(struct timeval));\n")
A_SECOND = TIME_LIMIT.replace("{ 0, 100000 }", "{ 1, 0 }")
IDLE = "gives up a peer that is silent"
TIME_H = ("#include <sys/socket.h>", "#include <sys/socket.h>\n#include <sys/time.h>")


def impatient(program: str, file: str, *edits: tuple[str, str]) -> KnownWrong:
    """PROGRAM with a time limit of 100 ms for whatever the peer says."""
    kind = "turns" if program.startswith("turn_") else "chat"
    return KnownWrong(f"{program}-waits-100-ms", "gives up before TCP does", program, edits,
                      f"test_{kind}_on_a_bad_network[{program}]", "own-timeout", file=file)


KNOWN_WRONG = [
    impatient("turn_server", "net.c", TIME_H, (ACCEPTED, TIME_LIMIT + ACCEPTED)),
    impatient("turn_client", "net.c", TIME_H, (CONNECTS, TIME_LIMIT + CONNECTS)),
] + [
    impatient(program, "chat.c", (
        READ, "from > 2 && poll(&(struct pollfd){from, POLLIN, 0}, 1, 100) == 0\n"
        f"            ? (errno = ETIMEDOUT, -1) : {READ}"))
    for program in ("server", "client")
] + [
    KnownWrong(
        "server-waits-a-second", IDLE, "server", ((
            READ, "from > 2 && poll(&(struct pollfd){from, POLLIN, 0}, 1, 1000) == 0\n"
            f"            ? (errno = ETIMEDOUT, -1) : {READ}"),),
        "test_chat_waits_without_using_the_processor[server]", "own-timeout", file="chat.c"),
    KnownWrong(
        "turn_server-waits-a-second", IDLE, "turn_server",
        (TIME_H, (ACCEPTED, A_SECOND + ACCEPTED)),
        "test_turns_wait_without_using_the_processor[turn_server]", "own-timeout", file="net.c"),
]
