"""Lab 02: the chat made wrong, server and client."""

from __future__ import annotations

from known_wrong import KnownWrong

LAB = "02-p2p-chat"


def wrong(
    program: str, name: str, fault: str, killed_by: str, cause: str, *edits: tuple[str, str],
    file: str = "chat.c", base: str = "",
) -> KnownWrong:
    """A wrong PROGRAM, caught by test_chat_KILLED_BY; designs are made wrong in client.c."""
    test, _, values = killed_by.partition("[")
    if not test.startswith(("server_", "client_", "of_the_pair", "says_")):
        test += f"[{program}" + (f"-{values}" if values else "]")
    elif values:
        test += f"[{values}"
    return KnownWrong(f"{program}-{name}", fault, program, edits, f"test_chat_{test}", cause, base,
                      f"{program}.c" if base else file)


READ = "read(from, buffer, sizeof buffer)"
WRITE = "        if (write_all(to, buffer, n) < 0)\n"
AFTER_WRITE = "        /* END STEP 7; stub:"
CARRY_IN = "    int failed = carry(conn_fd, STDOUT_FILENO);\n"
CARRY_OUT = "    int failed = carry(STDIN_FILENO, conn_fd);\n"
SAY_CLOSED = "    say_closed();\n    _exit(HAS_SAID_SO);\n"
HALF_CLOSE = "    if (why == 0 && shutdown(conn_fd, SHUT_WR) < 0)"
AFTER_HALF_CLOSE = "    /* END STEP 11; silent */\n"
LAST_WAIT = "    wait_for_child();\n"
END_WITH_PEER = (SAY_CLOSED, "    prctl(PR_SET_PDEATHSIG, 0);\n    kill(parent, SIGTERM);\n"
                 "    while (getppid() == parent)\n        poll(NULL, 0, 1);\n" + SAY_CLOSED)
UNISTD_H = "#include <unistd.h>"
FCNTL_H = (UNISTD_H, "#include <fcntl.h>\n" + UNISTD_H)

# Of the design chat-poll
SENDS = "MSG_DONTWAIT), \"send\")"

# -- The end of stdin ---------------------------------------------------------------

HALF_CLOSING = [
    wrong(
        program, "close-in-place-of-shutdown",
        "`close` in one process while another still holds the descriptor (no FIN)",
        "half_closes_at_the_end_of_stdin", "shared-descriptor",
        (HALF_CLOSE, "    if (why == 0 && close(conn_fd) < 0)"),
    ) for program in ("server", "client")
] + [
    wrong(
        "client", "child-closes", "`close` in the child while the parent holds it, too",
        "half_closes_at_the_end_of_stdin", "shared-descriptor",
        ("    shutdown(conn_fd, SHUT_WR);\n", ""), base="chat-child_sends",
    ),
    wrong(
        "client", "thread-closes", "`close` in one thread while another is in recv()",
        "half_closes_at_the_end_of_stdin", "shared-descriptor",
        ("shutdown(conn_fd, SHUT_WR);", "close(conn_fd);"), base="chat-threads",
    ),
    wrong(
        "server", "never-half-closes", "never half-closes",
        "half_closes_at_the_end_of_stdin", "no-half-close",
        (HALF_CLOSE, "    if (why != 0)"),
    ),
    wrong(
        "client", "never-half-closes-in-its-loop", "never half-closes",
        "half_closes_at_the_end_of_stdin", "no-half-close",
        ("            shutdown(conn_fd, SHUT_WR);\n", ""), base="chat-poll",
    ),
    wrong(
        "client", "waits-before-it-half-closes", "the FIN leaves only after the peer's",
        "half_closes_at_the_end_of_stdin", "no-half-close",
        (HALF_CLOSE, LAST_WAIT + HALF_CLOSE),
    ),
    wrong(
        "client", "shuts-both-directions", "closes both directions too early",
        "prints_on_after_its_own_fin", "closes-both",
        ("shutdown(conn_fd, SHUT_WR)", "shutdown(conn_fd, SHUT_RDWR)"),
    ),
    wrong(
        "client", "complains-without-end", "output without end",
        "prints_on_after_its_own_fin", "too-much-output",
        (CARRY_IN, CARRY_IN + "    static char more[65536];\n"
         "    while (write(STDERR_FILENO, more, sizeof more) > 0)\n        ;\n"),
    ),
    wrong(
        "server", "ends-with-stdin", "closes both directions too early",
        "prints_on_after_its_own_fin", "closes-both",
        (AFTER_HALF_CLOSE, AFTER_HALF_CLOSE + "    _exit(0);\n"),
    ),
    wrong(
        "client", "kills-its-printer-at-the-end-of-stdin", "the last lines lost",
        "prints_all_before_it_ends", "lines-lost",
        (AFTER_HALF_CLOSE, AFTER_HALF_CLOSE + "    kill(child, SIGKILL);\n"),
    ),
    wrong(
        "client", "half-closes-before-all-is-sent", "the last lines lost",
        "sends_all_before_its_fin", "early-fin",
        ("if (!out.open && out.used == 0 && !fin_sent)", "if (!out.open && !fin_sent)"),
        ("SIZE = 3000", "SIZE = 300000"), base="chat-writev",
    ),
    wrong(
        "client", "ends-before-all-is-printed", "the last lines lost",
        "prints_all_before_it_ends", "lines-lost",
        ("if (!in.open && in.used == 0 && !told)", "if (!in.open && !told)"),
        ("    fcntl(conn_fd, F_SETFL, O_NONBLOCK);\n",
         "    fcntl(conn_fd, F_SETFL, O_NONBLOCK);\n    fcntl(1, F_SETFL, O_NONBLOCK);\n"),
        ("SIZE = 3000", "SIZE = 300000"), base="chat-writev",
    ),
]

# -- The peer's end of file -----------------------------------------------------------

PEER_CLOSED = [
    wrong(
        "client", "ends-with-its-peer", "closes both directions too early",
        "goes_on_when_the_peer_has_closed", "closes-both", END_WITH_PEER,
    ),
    wrong(
        "server", "drops-what-is-typed-when-its-peer-ends", "the last lines lost",
        "sends_all_though_the_peer_has_closed", "lines-lost",
        ("    if (child_end < HAS_SAID_SO)", "    if (ended == child)\n        _exit(0);\n"
         "    if (child_end < HAS_SAID_SO)"),
    ),
    wrong(
        "client", "parent-ends-and-child-stays", "left-over child",
        "goes_on_when_the_peer_has_closed", "left-over-process",
        ("    while (waitpid(sender, &status, 0) < 0 && errno == EINTR)\n        ;\n", ""),
        ("    prctl(PR_SET_PDEATHSIG, SIGTERM);\n", ""), base="chat-child_sends",
    ),
    wrong(
        "client", "prints-from-a-stream-at-the-end", "the last lines lost in stdio's buffer",
        "prints_the_peers_last_lines", "lines-lost",
        (WRITE, "        if (to == STDOUT_FILENO && fwrite(buffer, 1, (size_t)n, stdout) > 0)\n"
         "            continue;\n" + WRITE),
    ),
    wrong(
        "client", "says-nothing-of-the-end", "`peer closed` is not printed",
        "goes_on_when_the_peer_has_closed", "messages",
        (SAY_CLOSED, "    _exit(HAS_SAID_SO);\n"),
    ),
    wrong(
        "server", "tells-the-end-on-stdout", "`peer closed` is on stdout",
        "goes_on_when_the_peer_has_closed", "messages",
        ('fprintf(stderr, "peer closed\\n")', 'printf("peer closed\\n"), fflush(stdout)'),
    ),
    wrong(
        "client", "tells-the-end-at-its-own", "`peer closed` is not printed at once",
        "goes_on_when_the_peer_has_closed", "messages",
        (SAY_CLOSED, "    _exit(LEFT_TO_PARENT);\n"),
    ),
    wrong(
        "client", "tells-the-end-at-the-beginning", "`peer closed` before it has",
        "goes_on_when_the_peer_has_closed", "messages",
        (CARRY_IN, "    say_closed();\n" + CARRY_IN),
    ),
    wrong(
        "client", "takes-an-interruption-for-an-error", "`EINTR` taken for an error",
        "goes_on_when_the_peer_has_closed", "eintr",
        (".sa_flags = SA_RESTART", ".sa_flags = 0"),
        ("    return errno == EINTR;\n}", "    return false;\n}"),
    ),
    wrong(
        "server", "tells-of-its-own-end", "`peer closed` at its own end of file",
        "prints_on_after_its_own_fin", "messages",
        (AFTER_HALF_CLOSE, AFTER_HALF_CLOSE + "    say_closed();\n"),
    ),
    wrong(
        "client", "ends-at-a-typed-exit", "a word of the turn pair ends the chat",
        "sends_what_is_typed_at_once", "no-answer",
        ("        if (write_all(to, buffer, n) < 0)",
         "        if (from == 0 && n == 5 && buffer[0] == 'e' && buffer[1] == 'x')\n"
         "            return -1;\n        if (write_all(to, buffer, n) < 0)"),
    ),
    wrong(
        "client", "polls-after-the-peers-fin", "busy waiting after end of file",
        "is_idle_after_the_peers_fin", "busy-wait",
        ("(in->open && !pending(in) ? POLLIN : 0)", "(!pending(in) ? POLLIN : 0)"),
        ("{ pending(out) || in->open ? conn_fd : -1, 0, 0 }", "{ conn_fd, 0, 0 }"),
        base="chat-poll",
    ),
    wrong(
        "client", "polls-stdin-after-its-end", "busy waiting after end of file",
        "waits_without_using_the_processor", "busy-wait",
        ("out->open && !pending(out)", "!pending(out)"), base="chat-poll",
    ),
    wrong(
        "server", "looks-every-20-ms", "busy waiting",
        "waits_without_using_the_processor", "busy-wait",
        ("        ssize_t n = " + READ, "        struct pollfd wanted = { from, POLLIN, 0 };\n"
         "        while (poll(&wanted, 1, 20) == 0)\n            ;\n        ssize_t n = " + READ),
    ),
    wrong(
        "client", "linger-0", "`SO_LINGER` 0 (RST)",
        "goes_on_when_the_peer_has_closed", "linger-rst",
        ("            shutdown(conn_fd, SHUT_WR);\n", "            struct linger now = { 1, 0 };\n"
         "            setsockopt(conn_fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);\n"
         "            close(conn_fd);\n            return 0;\n"), base="chat-poll",
    ),
    wrong(
        "server", "tells-the-end-without-a-newline", "the newline of `peer closed` is missing",
        "of_the_pair[client-pipes]", "messages",
        ('"peer closed\\n"', '"peer closed"'),
    ),
    wrong(
        "client", "tells-the-end-in-capitals", "`peer closed` in other letters",
        "takes_its_stdin_from_a_file[file]", "messages",
        ('"peer closed\\n"', '"Peer closed.\\n"'),
    ),
]

# -- Bytes --------------------------------------------------------------------------

BYTES = [
    wrong(
        "client", "sends-whole-lines-only", "bytes do not pass as they come",
        "sends_what_is_typed_at_once", "no-answer",
        (CARRY_OUT, "    char line[BUFFER_SIZE];\n    int failed = -1;\n"
         "    while (fgets(line, sizeof line, stdin) != NULL)\n"
         "        write_all(conn_fd, line, (ssize_t)strlen(line));\n"),
        (UNISTD_H, "#include <string.h>\n" + UNISTD_H),
    ),
    wrong(
        "server", "waits-for-a-full-buffer", "bytes do not pass as they come",
        "sends_what_is_typed_at_once", "no-answer",
        (CARRY_OUT, "    char block[512];\n    int failed = -1;\n"
         "    for (size_t n; (n = fread(block, 1, sizeof block, stdin)) > 0; )\n"
         "        write_all(conn_fd, block, (ssize_t)n);\n"),
    ),
    wrong(
        "server", "stdout-not-flushed", "stdout not flushed",
        "prints_what_comes_at_once", "stdout-not-flushed",
        (WRITE, "        if (to == STDOUT_FILENO && fwrite(buffer, 1, (size_t)n, stdout) > 0)\n"
         "            continue;\n" + WRITE),
    ),
    wrong(
        "client", "prints-once", "one read, no loop",
        "prints_single_bytes", "single-read",
        (AFTER_WRITE, "        if (to == STDOUT_FILENO)\n            return -1;\n" + AFTER_WRITE),
    ),
    wrong(
        "client", "sends-up-to-nul", "data handled as a C string (cut at NUL)",
        "carries_every_byte_value", "c-string",
        (WRITE, "        if (from == STDIN_FILENO)\n            n = (ssize_t)strnlen(buffer, n);\n"
         + WRITE), (UNISTD_H, "#include <string.h>\n" + UNISTD_H),
    ),
    wrong(
        "server", "prints-up-to-nul", "data handled as a C string (cut at NUL)",
        "carries_every_byte_value", "c-string",
        (WRITE, "        if (to == STDOUT_FILENO)\n            n = (ssize_t)strnlen(buffer, n);\n"
         + WRITE), (UNISTD_H, "#include <string.h>\n" + UNISTD_H),
    ),
    wrong(
        "client", "sends-its-whole-buffer", "`sizeof` sent instead of the bytes read",
        "sends_what_is_typed_at_once", "fixed-length",
        ("    char buffer[BUFFER_SIZE];", "    char buffer[BUFFER_SIZE] = \"\";"),
        (WRITE, "        if (from == STDIN_FILENO)\n            n = sizeof buffer;\n" + WRITE),
    ),
    wrong(
        "server", "names-its-peer-in-each-piece", "a line mixed up: a prompt in its middle",
        "carries_long_lines_whole", "lines-mixed",
        (WRITE, "        if (to == STDOUT_FILENO && n > 99)\n"
         "            write_all(to, \"> \", 2);\n" + WRITE),
    ),
    wrong(
        "client", "prints-by-write-and-by-stdio", "a line mixed up: two buffers for one stream",
        "carries_long_lines_whole", "lines-mixed",
        (CARRY_IN, "    static char held[1 << 20];\n"
         "    setvbuf(stdout, held, _IOFBF, sizeof held);\n" + CARRY_IN),
        (WRITE, "        static int count;\n        if (to == STDOUT_FILENO && ++count % 2 == 0\n"
         "            && fwrite(buffer, 1, (size_t)n, stdout) > 0)\n            continue;\n"
         + WRITE),
    ),
    wrong(
        "client", "forgets-what-send-did-not-take", "partial `write` not continued",
        "waits_for_a_slow_peer", "partial-write", FCNTL_H,
        (CARRY_OUT, "    fcntl(conn_fd, F_SETFL, O_NONBLOCK);\n" + CARRY_OUT),
        (WRITE, "        if (from == STDIN_FILENO && (write(to, buffer, (size_t)n) > 0\n"
         "                                     || errno == EAGAIN))\n            continue;\n"
         + WRITE),
    ),
    wrong(
        "server", "forgets-what-stdout-did-not-take", "partial `write` not continued",
        "waits_for_a_slow_reader_of_stdout", "partial-write", FCNTL_H,
        (CARRY_OUT, "    fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK);\n" + CARRY_OUT),
        (WRITE, "        if (to == STDOUT_FILENO && (write(to, buffer, (size_t)n) > 0\n"
         "                                    || errno == EAGAIN))\n            continue;\n"
         + WRITE),
    ),
    wrong(
        "client", "sends-before-it-reads", "deadlock on a big stream",
        "does_not_wait_for_a_peer_that_does_not_read", "deadlock",
        (SENDS, "0), \"send\")"),
        ("else if (fds[1].revents != 0 && pending(out))", "else if (pending(out))"),
        base="chat-poll",
    ),
    wrong(
        "client", "prints-before-it-sends", "deadlock on a big stream",
        "does_not_wait_for_a_stdout_that_is_not_read", "deadlock",
        ("if (fds[2].revents != 0)", "if (pending(in))"), base="chat-poll",
    ),
]

# -- At a terminal, both together, with ncat ------------------------------------------

TOGETHER = [
    wrong(
        "client", "reads-on-after-ctrl-d", "end of file at a terminal is not obeyed",
        "at_a_terminal", "no-half-close",
        ("        if (n == 0)\n", "        if (n == 0 && isatty(from))\n            continue;\n"
         "        if (n == 0)\n"),
    ),
    wrong(
        "client", "drops-an-unfinished-line", "the last line lost",
        "at_a_terminal_when_the_peer_closes", "lines-lost",
        (WRITE, "        if (isatty(from) && n > 0 && buffer[n - 1] != '\\n')\n"
         "            continue;\n" + WRITE),
    ),
    wrong(
        "client", "closes-where-the-server-does-not",
        "`close` in one process while another still holds the descriptor (no FIN)",
        "of_the_pair[client-pipes]", "shared-descriptor",
        (HALF_CLOSE, "    if (why == 0 && close(conn_fd) < 0)"),
    ),
    wrong(
        "client", "takes-turns-with-blocks", "deadlock on a big stream",
        "of_the_pair_with_megabytes", "deadlock",
        ("    start_child(conn_fd);\n", ""),
        (CARRY_OUT, "    int failed = -1;\n    char block[8192];\n"
         "    for (ssize_t n; (n = read(0, block, sizeof block)) > 0; ) {\n"
         "        write_all(conn_fd, block, n);\n        n = read(conn_fd, block, 4096);\n"
         "        write_all(1, block, n);\n    }\n"),
    ),
    wrong(
        "server", "greets-its-peer", "something of its own to the peer",
        "server_talks_with_ncat", "messages",
        (CARRY_OUT, "    write_all(conn_fd, \"Welcome!\\n\", 9);\n" + CARRY_OUT),
    ),
    wrong(
        "client", "leaves-with-ncat", "closes both directions too early",
        "client_talks_with_ncat", "closes-both", END_WITH_PEER,
    ),
]

# -- Errors, signals, the listening socket ------------------------------------------

ERRORS = [
    wrong(
        "client", "reset-is-a-success", "wrong exit status",
        "ends_with_status_1_when_it_is_reset", "exit-status",
        ("        _exit(child_end);", "        _exit(0);"),
    ),
    wrong(
        "server", "hangs-after-a-reset", "does not end when it is reset",
        "ends_with_status_1_when_it_is_reset", "slow-end",
        ("    if (child_end < HAS_SAID_SO)", "    if (options == 0 && child_end < HAS_SAID_SO)"),
    ),
    wrong(
        "client", "takes-a-late-reset-for-the-end", "wrong exit status",
        "ends_with_status_1_when_it_is_reset_late", "exit-status",
        (CARRY_IN, CARRY_IN + "    if (failed == conn_fd)\n        _exit(HAS_SAID_SO);\n"),
    ),
    wrong(
        "client", "unsent-bytes-are-a-success", "wrong exit status",
        "ends_with_status_1_when_it_is_reset_while_it_sends", "exit-status",
        ("        fail(what);\n    way->start +=", "        exit(0);\n    way->start +="),
        base="chat-poll",
    ),
    wrong(
        "client", "goes-on-without-stdout", "does not end when its disk is full",
        "says_that_stdout_is_full", "slow-end",
        (WRITE, "        if (write_all(to, buffer, n) < 0 && to != STDOUT_FILENO)\n"),
    ),
    wrong(
        "client", "waits-by-epoll-for-a-file", "stdin that is a file is not read",
        "takes_its_stdin_from_a_file[file]", "lines-lost",
        (CARRY_OUT, "    struct epoll_event event = { .events = EPOLLIN };\n"
         "    if (epoll_ctl(epoll_create1(0), EPOLL_CTL_ADD, 0, &event) < 0)\n"
         "        die(\"epoll_ctl\");\n" + CARRY_OUT),
        ("#include <sys/prctl.h>", "#include <sys/epoll.h>\n#include <sys/prctl.h>"),
    ),
    wrong(
        "client", "takes-ctrl-z-for-an-error", "`EINTR` taken for an error",
        "goes_on_after_being_stopped", "eintr",
        ("        if (n < 0 && errno == EINTR)\n            continue;\n", ""),
        ("    pthread_t printer;\n", "    pthread_t printer;\n"
         "    struct timeval hour = { 3600, 0 };\n"
         "    setsockopt(conn_fd, SOL_SOCKET, SO_RCVTIMEO, &hour, sizeof hour);\n"),
        ("#include <pthread.h>", "#include <pthread.h>\n#include <sys/time.h>"),
        base="chat-threads",
    ),
    wrong(
        "server", "killed-by-sigpipe", "killed by SIGPIPE",
        "outlives_sigpipe", "sigpipe",
        ("signal(SIGPIPE, SIG_IGN)", "signal(SIGPIPE, SIG_DFL)"), file="net.c",
    ),
    wrong(
        "server", "hears-no-signal-after-its-peers-fin", "SIGTERM does not end it",
        "server_ends_by_a_signal_after_its_peers_fin[SIGTERM]", "slow-end",
        ("    if (child_end < HAS_SAID_SO)\n        _exit(child_end);",
         "    if (child_end < HAS_SAID_SO)\n        _exit(child_end);\n"
         "    if (ended == child)\n        signal(SIGTERM, SIG_IGN);"),
    ),
    wrong(
        "server", "child-outlives-sigterm", "left-over child",
        "server_ends_by_a_signal[SIGTERM]", "left-over-process",
        ("PR_SET_PDEATHSIG, SIGKILL", "PR_SET_PDEATHSIG, 0"),
    ),
    wrong(
        "server", "hears-no-signal-in-a-conversation", "SIGINT does not end it",
        "server_ends_by_a_signal[SIGINT]", "slow-end",
        (CARRY_OUT, "    signal(SIGINT, SIG_IGN);\n" + CARRY_OUT),
    ),
    wrong(
        "server", "hears-no-signal-after-its-stdin", "SIGTERM does not end it",
        "server_ends_by_a_signal_after_its_stdin[SIGTERM]", "slow-end",
        (AFTER_HALF_CLOSE, AFTER_HALF_CLOSE + "    signal(SIGTERM, SIG_IGN);\n"),
    ),
    wrong(
        "server", "hears-no-signal-while-it-sends", "SIGTERM does not end it",
        "server_ends_by_a_signal_while_it_sends", "slow-end",
        (WRITE, "        signal(SIGTERM, SIG_IGN);\n" + WRITE),
    ),
    wrong(
        "server", "keeps-listening", "does not stop listening",
        "server_stops_listening", "keeps-listening",
        ("    if (close(listen_fd) < 0)", "    if (listen_fd < 0)"), file="server.c",
    ),
    wrong(
        "server", "says-nothing-of-its-peer", "`connection from` is not printed",
        "goes_both_ways_at_any_time", "stdout-not-flushed",
        ("next_client(listen_fd, true)", "next_client(listen_fd, false)"), file="server.c",
    ),
    wrong(
        "server", "leaves-with-its-stdin", "closes both directions too early",
        "hears_on_after_its_stdin", "closes-both",
        ("    wait_for_child();", "    kill(child, SIGKILL);\n    wait_for_child();"),
    ),
    wrong(
        "client", "leaves-with-its-stdin", "closes both directions too early",
        "hears_on_after_its_stdin", "closes-both",
        ("    wait_for_child();", "    kill(child, SIGKILL);\n    wait_for_child();"),
    ),
]

KNOWN_WRONG = HALF_CLOSING + PEER_CLOSED + BYTES + TOGETHER + ERRORS
