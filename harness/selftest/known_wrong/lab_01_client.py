"""Lab 01: `client` made wrong, in its own file, in a module, or in another design."""

from __future__ import annotations

from known_wrong import KnownWrong

LAB = "01-tcp-echo"
NET = "net.c"


def client(
    name: str, fault: str, killed_by: str, cause: str, *edits: tuple[str, str],
    file: str = "", base: str = "",
) -> KnownWrong:
    """A wrong client; names are completed with what all of them begin with."""
    return KnownWrong(f"client-{name}", fault, "client", edits, f"test_client_{killed_by}",
                      cause, base, file)


FAMILY_AND_TYPE = (".ai_family = AF_UNSPEC,\n                              "
                   ".ai_socktype = SOCK_STREAM,\n")
CONNECTS = "connect(conn_fd, ai->ai_addr, ai->ai_addrlen) == 0"
TO_STDOUT = "write(STDOUT_FILENO, down->next, down->len)"

KNOWN_WRONG = [
    client(
        "port-in-host-byte-order", "a port not in network byte order",
        "connects_to_the_right_port", "byte-order",
        (CONNECTS, "(((struct sockaddr_in *)ai->ai_addr)->sin_port = (in_port_t)atoi(port), "
         + CONNECTS + ")"),
        file=NET,
    ),
    client(
        "address-in-host-byte-order", "an address not in network byte order",
        "connects_to_the_right_port", "byte-order",
        (CONNECTS, "(((struct sockaddr_in *)ai->ai_addr)->sin_addr.s_addr = INADDR_LOOPBACK, "
         + CONNECTS + ")"),
        file=NET,
    ),
    client(
        "ignores-p", "another port than asked",
        "connects_to_the_right_port", "wrong-port",
        ("            port = optarg;", "            port = \"4321\";"),
    ),
    client(
        "udp", "UDP where TCP is asked",
        "connects_to_the_right_port", "udp-not-tcp",
        (FAMILY_AND_TYPE, FAMILY_AND_TYPE.replace("STREAM", "DGRAM")),
        file=NET,
    ),
    client(
        "fakes-the-echo", "local faking without any packet",
        "connects_to_the_right_port", "no-packets",
        ("    int conn_fd = connect_to(host, port);", "    for (int c; (c = getchar()) != EOF; )\n"
         "        putchar(c);\n    exit(0);\n    int conn_fd = connect_to(host, port);"),
    ),
    client(
        "dotted-addresses-only", "only dotted addresses understood",
        "understands_a_name", "dotted-only",
        (".ai_flags = AI_NUMERICSERV }", ".ai_flags = AI_NUMERICSERV | AI_NUMERICHOST }"),
        file=NET,
    ),
    client(
        "no-ipv6", "no IPv6",
        "connects_by_ipv6", "no-ipv6",
        (FAMILY_AND_TYPE, FAMILY_AND_TYPE.replace("UNSPEC", "INET")),
        file=NET,
    ),
    client(
        "first-address-only", "a name's other addresses not tried",
        "understands_a_name", "first-address-only",
        ("ai = ai->ai_next) {\n        conn_fd = ", "ai = NULL) {\n        conn_fd = "),
        file=NET,
    ),
    client(
        "usage-ends-with-1", "wrong exit status",
        "explains_wrong_arguments[unknown-option]", "usage",
        ("    exit(2);", "    exit(1);"),
    ),
    client(
        "refusal-is-a-success", "wrong exit status",
        "says_that_nobody_listens", "exit-status",
        ("host, port, strerror(why));\n        exit(1);",
         "host, port, strerror(why));\n        exit(0);"),
        file=NET,
    ),
    client(
        "refusal-in-other-words", "not `program: what: why`",
        "says_that_nobody_listens", "messages",
        ('"%s: connect to %s port %s: %s\\n"', '"%s: Could not connect to %s port %s (%s)\\n"'),
        file=NET,
    ),
    client(
        "reset-is-a-success", "wrong exit status",
        "ends_with_status_1_when_it_is_reset", "exit-status",
        ('filled(down, n, "recv")', 'filled(down, n < 0 ? 0 : n, "recv")'),
    ),
    client(
        "full-disk-is-a-success", "wrong exit status",
        "says_that_stdout_is_full", "exit-status",
        ('drained(down, n, "stdout")',
         'drained(down, n < 0 ? (ssize_t)down->len : n, "stdout")'),
    ),
    client(
        "waits-with-timeout-0", "busy waiting",
        "waits_without_using_the_processor", "busy-wait",
        ("poll(fds, 4, -1)", "poll(fds, 4, 0)"),
    ),
    client(
        "looks-every-10-ms", "busy waiting",
        "waits_without_using_the_processor", "busy-wait",
        ("poll(fds, 4, -1)", "poll(fds, 4, 10)"),
    ),
    client(
        "polls-stdin-after-its-end", "busy waiting",
        "waits_without_using_the_processor", "busy-wait",
        ("up->open && up->len == 0 ? STDIN_FILENO", "up->len == 0 ? STDIN_FILENO"),
    ),
    client(
        "takes-an-interruption-for-an-error", "`EINTR` taken for an error",
        "goes_on_after_being_stopped", "eintr",
        ("if (epoll_wait(epoll_fd, &event, 1, -1) < 1)\n            continue;",
         "if (epoll_wait(epoll_fd, &event, 1, -1) < 1)\n            fail(\"epoll_wait\");"),
        base="client-epoll",
    ),
    client(
        "stdout-not-flushed", "stdout not flushed",
        "sends_what_is_typed_at_once", "stdout-not-flushed",
        (TO_STDOUT, "(ssize_t)fwrite(down->next, 1, down->len, stdout)"),
    ),
    client(
        "sends-its-whole-buffer", "`sizeof` sent instead of the bytes read",
        "sends_every_byte_value", "fixed-length",
        ('filled(up, n, "stdin")',
         'filled(up, n > 0 ? (ssize_t)sizeof up->buffer : n, "stdin")'),
    ),
    client(
        "sends-up-to-nul", "data handled as a C string (cut at NUL)",
        "sends_every_byte_value", "c-string",
        ('filled(up, n, "stdin")',
         'filled(up, n > 0 ? (ssize_t)strnlen(up->buffer, (size_t)n) : n, "stdin")'),
    ),
    client(
        "prints-up-to-nul", "data handled as a C string (cut at NUL)",
        "sends_every_byte_value", "c-string",
        (TO_STDOUT, "printf(\"%.*s\", (int)down->len, down->next) < 0 || fflush(stdout) < 0\n"
         "            ? -1 : (ssize_t)down->len"),
    ),
    client(
        "sends-all-then-reads", "deadlock on a big stream",
        "sends_a_big_stream_to_a_slow_server", "deadlock",
        ("down->len == 0 ? conn_fd", "!up->open && up->len == 0 && down->len == 0 ? conn_fd"),
    ),
    client(
        "forgets-what-send-did-not-take", "partial `write` not continued",
        "sends_a_big_stream_to_a_slow_server", "partial-write",
        ("char buffer[PIPE_BUF];", "char buffer[1 << 18];"),
        ('drained(up, n, "send")', 'drained(up, (ssize_t)up->len, "send")'),
    ),
    client(
        "forgets-what-stdout-did-not-take", "partial `write` not continued",
        "prints_a_big_reply_to_a_slow_reader", "partial-write",
        ("#include <errno.h>", "#include <errno.h>\n#include <fcntl.h>"),
        ("    int conn_fd = connect_to(host, port);",
         "    int conn_fd = connect_to(host, port);\n"
         "    fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK);"),
        ("char buffer[PIPE_BUF];", "char buffer[1 << 18];"),
        ('drained(down, n, "stdout")', 'drained(down, (ssize_t)down->len, "stdout")'),
    ),
    client(
        "reads-once", "one read, no loop",
        "prints_a_reply_in_pieces", "single-read",
        ('drained(down, n, "stdout");', 'down->open = false;'),
    ),
    client(
        "waits-for-stdin-at-the-servers-end", "does not end at the server's end of file",
        "ends_at_the_servers_end_of_file", "slow-end",
        ("while (down->open) {", "while (down->open || up->open) {"),
        ("down->len == 0 ? conn_fd", "down->open && down->len == 0 ? conn_fd"),
    ),
    client(
        "never-half-closes", "never half-closes",
        "half_closes_and_reads_on", "no-half-close",
        ("if (shutdown(conn_fd, SHUT_WR) < 0", "if (conn_fd < 0"),
    ),
    client(
        "shuts-both-directions", "closes both directions too early",
        "half_closes_and_reads_on", "closes-both",
        ("shutdown(conn_fd, SHUT_WR)", "shutdown(conn_fd, SHUT_RDWR)"),
    ),
    client(
        "ends-with-stdin", "closes both directions too early",
        "half_closes_and_reads_on", "closes-both",
        ("half_closed = true;", "exit(0);"),
    ),
    client(
        "linger-0", "`SO_LINGER` 0 (RST)",
        "ends_at_the_servers_end_of_file", "linger-rst",
        ("    if (close(conn_fd) < 0)", "    struct linger now = { 1, 0 };\n"
         "    setsockopt(conn_fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);\n"
         "    if (close(conn_fd) < 0)"),
    ),
    client(
        "message-without-newline", "`-m` sends no newline",
        "sends_its_message", "messages",
        ("up->len = size - 1;", "up->len = size - 2;"),
    ),
    client(
        "message-and-stdin", "`-m` sends stdin too",
        "sends_its_message", "messages",
        ("up->len = size - 1;\n    up->open = false;", "up->len = size - 1;"),
    ),
    client(
        "tells-of-an-unknown-name-by-errno", "errno told where getaddrinfo() has failed",
        "says_that_a_name_is_unknown", "lookup-error",
        ("error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error)",
         "strerror((error = errno))"),
        file=NET,
    ),
    client(
        "dies-of-an-unknown-name", "the result of getaddrinfo is not looked at",
        "says_that_a_name_is_unknown", "lookup-error",
        ("    if (error != 0)\n        unknown(host, error);",
         "    if (error != 0)\n        exit(list->ai_family);"),
        file=NET,
    ),
    client(
        "says-goodbye-on-stdout", "something of its own on stdout",
        "half_closes_and_reads_on", "messages",
        ("    if (close(conn_fd) < 0)", '    printf("connection closed\\n");\n'
         "    if (close(conn_fd) < 0)"),
    ),
    client(
        "takes-a-late-reset-for-the-end", "a reset after its own FIN is exit status 0",
        "ends_with_status_1_when_it_is_reset_late", "exit-status",
        ("        filled(down, n, \"recv\");\n", "        if (n < 0 && errno == ECONNRESET && "
         "!up->open)\n            exit(0);\n        filled(down, n, \"recv\");\n"),
    ),
    client(
        "cuts-a-long-message", "-m with a fixed buffer",
        "sends_a_message_of_any_length[long]", "messages",
        ("int main(int argc, char *argv[])\n{", "int main(int argc, char *argv[])\n{\n"
         "    for (int i = 1; i < argc; i++)\n        if (strlen(argv[i]) > 999)\n"
         "            argv[i][999] = 0;\n"),
    ),
    client(
        "leaves-a-child", "left-over child",
        "half_closes_and_reads_on", "left-over-process",
        ("    if (close(conn_fd) < 0)", "    if (fork() == 0)\n        for (;;)\n"
         "            pause();\n    if (close(conn_fd) < 0)"),
    ),
    client(
        "takes-a-read-error-for-the-end", "an error of stdin is exit status 0",
        "says_that_stdin_cannot_be_read", "exit-status",
        ('filled(up, n, "stdin")', 'filled(up, n < 0 ? 0 : n, "stdin")'),
    ),
    client(
        "killed-by-sigpipe", "killed by SIGPIPE",
        "is_not_ended_by_sigpipe", "sigpipe",
        ("signal(SIGPIPE, SIG_IGN)", "signal(SIGPIPE, SIG_DFL)"),
        file=NET,
    ),
    client(
        "leaves-without-a-word", "no `program: what: why` on stderr",
        "ends_with_status_1_when_it_is_reset_while_it_sends", "messages",
        ("        die(target);", "        exit(1);"),
    ),
    client(
        "reset-while-it-sends-is-a-success", "wrong exit status",
        "ends_with_status_1_when_it_is_reset_while_it_sends", "exit-status",
        ("        die(target);", "        exit(0);"),
    ),
    # What a program does before most of its steps are written
    client(
        "leaves-once-connected", "ends as soon as it is connected",
        "waits_for_something_to_do", "ended-early",
        ("    exchange(conn_fd, &up, &down);", "    (void)exchange;\n    (void)down;"),
    ),
    client(
        "end-of-file-is-an-error", "wrong exit status",
        "ends_with_a_silent_server", "exit-status",
        ("    if (n == 0)\n        stream->open = false;",
         "    if (n == 0 && source[0] == 'r')\n        die(source);\n"
         "    if (n == 0)\n        stream->open = false;"),
    ),
    client(
        "shuts-down-both-ways", "SHUT_RDWR at the end of stdin",
        "connects_by_ipv6", "closes-both",
        ("up->len, MSG_DONTWAIT", "up->len, MSG_DONTWAIT | MSG_MORE"),  # goes with the FIN: the
        ("shutdown(conn_fd, SHUT_WR)", "shutdown(conn_fd, SHUT_RDWR)"),  # echo is never earlier
    ),
    client(
        "half-closes-first", "the FIN goes out before the data",
        "connects_by_ipv6", "early-fin",
        ("    exchange(conn_fd, &up, &down);",
         "    shutdown(conn_fd, SHUT_WR);\n    exchange(conn_fd, &up, &down);"),
    ),
    client(
        "prompts", "words of its own on stdout",
        "tries_every_address", "messages",
        ("    exchange(conn_fd, &up, &down);",
         '    printf("Enter message: ");\n    fflush(stdout);\n    exchange(conn_fd, &up, &down);'),
    ),
    client(
        "sends-the-nul-too", "the NUL at a string's end is sent",
        "sends_its_message", "c-string",
        ("up->len = size - 1;", "up->len = size;"),
    ),
    client(
        "selects-below-its-socket", "select() is told the highest descriptor, not one more",
        "understands_a_name", "waits-for-one",
        ("select(conn_fd + 1,", "select(conn_fd,"), base="client-select",
    ),
]
