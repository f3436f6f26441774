"""Lab 01: programs that waiting, TCP's or a silent peer's, makes fail; or the pieces in which data
then comes."""

from __future__ import annotations

from known_wrong import KnownWrong

LAB = "01-tcp-echo"


def wrong(
    program: str, name: str, fault: str, killed_by: str, cause: str, *edits: tuple[str, str],
    file: str = "", base: str = "",
) -> KnownWrong:
    """A wrong PROGRAM, caught by test_KILLED_BY."""
    return KnownWrong(f"{program}-{name}", fault, program, edits, f"test_{killed_by}", cause, base,
                      file)


GIVES_UP = "gives up before TCP does"
CONNECTS = "        if (conn_fd >= 0\n            && connect("
TIME_H = ("#include <sys/socket.h>", "#include <sys/socket.h>\n#include <sys/time.h>")
POLLS = "        while (poll(fds, 4, -1) < 0)\n"
RECEIVED = "        filled(down, n, \"recv\");\n"
LOOP = "    for (;;) {\n        /* STEP 6:"


def impatient(which: str, indent: str, limit: str = "0, 100000") -> str:
    """C that gives a connection a time limit; WHICH: SO_RCVTIMEO or SO_SNDTIMEO.

    limit: seconds and microseconds.
    """
    return (f"{indent}setsockopt(conn_fd, SOL_SOCKET, {which},\n"
            f"{indent}           &(struct timeval){{ {limit} }}, sizeof(struct timeval));\n")


SILENCE = [
    wrong(
        "client", f"gives-up-after-a-lost-{kind}", GIVES_UP,
        f"pair_connects_although_a_packet_is_lost[{kind}]", "own-timeout",
        TIME_H, (CONNECTS, impatient("SO_SNDTIMEO", "        ") + CONNECTS), file="net.c",
    ) for kind in ("syn", "syn-ack")
] + [
    wrong(
        "server", "waits-100-ms-for-data", GIVES_UP,
        "pair_waits_for_lost_data[to_server]", "own-timeout",
        TIME_H, (LOOP, impatient("SO_RCVTIMEO", "    ") + LOOP), file="echo.c",
    ),
    wrong(
        "client", "waits-100-ms-for-data", GIVES_UP,
        "pair_waits_for_lost_data[to_client]", "own-timeout",
        (POLLS, "        if (poll(fds, 4, 100) == 0)\n            break;\n" + POLLS),
    ),
] + [
    wrong(
        "client", f"waits-100-ms-for-the-end-{way}", GIVES_UP,
        f"pair_waits_for_a_lost_fin[{way}]", "own-timeout",
        (POLLS, "        if (poll(fds, 4, half_closed ? 100 : -1) == 0)\n"
         "            die(\"the server\");\n" + POLLS),
    ) for way in ("to_server", "to_client")
] + [
    wrong(
        program, "waits-100-ms-for-data", GIVES_UP,
        f"server_notices_nothing_of_a_bad_network[{program}]", "own-timeout",
        TIME_H, (LOOP, impatient("SO_RCVTIMEO", "    ") + LOOP), file="echo.c",
    ) for program in ("server_fork", "server_thread")
] + [
    wrong(
        "server_poll", "waits-100-ms-for-data", GIVES_UP,
        "server_notices_nothing_of_a_bad_network[server_poll]", "own-timeout",
        ("        if (poll(fds, used, -1) < 0)\n            continue;\n",
         "        int ready = poll(fds, used, used > FIRST ? 100 : -1);\n"
         "        if (ready == 0)\n            drop(FIRST);\n"
         "        if (ready <= 0)\n            continue;\n"), base="server_poll-poll",
    ),
]

IDLE = "gives up a peer that is silent"
A_SECOND = impatient("SO_RCVTIMEO", "    ", "1, 0")
SILENT_PEERS = [
    wrong(
        program, "waits-a-second-for-data", IDLE,
        f"server_waits_without_using_the_processor[{program}]", "own-timeout",
        TIME_H, (LOOP, A_SECOND + LOOP), file="echo.c",
    ) for program in ("server", "server_fork")
] + [
    wrong(
        program, "waits-a-second-for-data", IDLE,
        f"closer_waits_for_its_client[{program}]", "own-timeout",
        TIME_H, (begin, A_SECOND + begin),
    ) for program, begin in (
        ("hello_server", "    do\n        n = recv(conn_fd, message"),
        ("prompt_server", "        do\n            n = recv(conn_fd, piece"))
] + [
    wrong(
        "client", "waits-a-second-for-data", IDLE,
        "client_waits_without_using_the_processor", "own-timeout",
        (POLLS, "        if (poll(fds, 4, 1000) == 0)\n            break;\n" + POLLS),
    ),
]

PIECES = [
    wrong(
        "client", "reads-once-for-each-send", "one read, no loop",
        "pair_takes_data_in_its_order", "single-read",
        (RECEIVED, RECEIVED + "        down->open = false;\n"),
    ),
    wrong(
        "client", "takes-a-short-read-for-the-end", "one read, no loop",
        "pair_carries_a_stream_over_a_bad_network", "single-read",
        (RECEIVED, RECEIVED + "        if (n < (ssize_t)sizeof down->buffer)\n"
         "            down->open = false;\n"),
    ),
]

KNOWN_WRONG = SILENCE + SILENT_PEERS + PIECES
