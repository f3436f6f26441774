"""Lab 01: server.c and client.c made wrong."""

from __future__ import annotations

from known_wrong import Edits, KnownWrong


def server(
    name: str, fault: str, killed_by: str, cause: str, *edits: tuple[str, str], base: str = ""
) -> KnownWrong:
    """A wrong server; names are completed with what all of them begin with."""
    return KnownWrong(f"server-{name}", fault, "server", edits, f"test_server_{killed_by}",
                      cause, base)


def client(
    name: str, fault: str, killed_by: str, cause: str, *edits: tuple[str, str], base: str = ""
) -> KnownWrong:
    """A wrong client."""
    return KnownWrong(f"client-{name}", fault, "client", edits, f"test_client_{killed_by}",
                      cause, base)


BEFORE_BIND = "        if (bind(listen_fd, "
BEFORE_ACCEPT = "        len = sizeof peer_addr;\n"
ECHO = "        echo(conn_fd);\n"
BEFORE_SENDING = "        /* STEP 7: "
AFTER_SENDING = "        /* END STEP 7; stub: (void)n; */\n"
BEFORE_CLOSING = "        /* STEP 8: "
RECEIVE = "recv(conn_fd, buffer, sizeof buffer, 0)"
INTERRUPTED = "if (n < 0 && errno == EINTR)"

POLL_H: Edits = (("#include <netdb.h>", "#include <netdb.h>\n#include <poll.h>"),)

SERVERS = [
    server(
        "port-in-host-byte-order", "a port not in network byte order",
        "listens_on_the_loopback_by_default", "byte-order",
        (BEFORE_BIND, "((struct sockaddr_in *)ai->ai_addr)->sin_port = (in_port_t)atoi(port);\n"
         + BEFORE_BIND),
    ),
    server(
        "address-in-host-byte-order", "an address not in network byte order",
        "listens_on_the_loopback_by_default", "byte-order",
        (BEFORE_BIND, "((struct sockaddr_in *)ai->ai_addr)->sin_addr.s_addr = INADDR_LOOPBACK;\n"
         + BEFORE_BIND),
    ),
    server(
        "ignores-p", "another port than asked",
        "listens_where_it_is_told", "wrong-port",
        ("            port = optarg;", "            port = \"4321\";"),
    ),
    server(
        "open-to-the-network", "listens on 0.0.0.0 when it is not told where",
        "listens_on_the_loopback_by_default", "wrong-address",
        ('*address = "127.0.0.1"', '*address = "0.0.0.0"'),
    ),
    server(
        "udp", "UDP where TCP is asked",
        "speaks_tcp", "udp-not-tcp",
        (".ai_socktype = SOCK_STREAM", ".ai_socktype = SOCK_DGRAM"),
        ("    if (listen(listen_fd, SOMAXCONN) < 0)", """
    for (char data[65536]; ; ) {
        len = sizeof addr;
        ssize_t n = recvfrom(listen_fd, data, sizeof data, 0, (struct sockaddr *)&addr, &len);
        sendto(listen_fd, data, (size_t)n, 0, (struct sockaddr *)&addr, len);
    }
    if (listen(listen_fd, SOMAXCONN) < 0)"""),
    ),
    server(
        "dotted-addresses-only", "only dotted addresses understood",
        "understands_a_name", "dotted-only",
        ("AI_PASSIVE | AI_NUMERICSERV", "AI_PASSIVE | AI_NUMERICSERV | AI_NUMERICHOST"),
    ),
    server(
        "no-ipv6", "no IPv6",
        "serves_ipv6", "no-ipv6",
        ("AF_UNSPEC", "AF_INET"),
    ),
    server(
        "no-reuseaddr", "no `SO_REUSEADDR`",
        "can_be_started_again_at_once", "no-reuseaddr",
        ("SOL_SOCKET, SO_REUSEADDR,", "SOL_SOCKET, SO_KEEPALIVE,"),
    ),
    server(
        "taken-port-is-a-success", "wrong exit status",
        "says_that_its_port_is_taken", "address-in-use",
        ("        exit(1);\n    }\n    return listen_fd;",
         "        exit(0);\n    }\n    return listen_fd;"),
    ),
    server(
        "any-text-for-a-port", "wrong exit status",
        "explains_wrong_arguments[port-80x]", "usage",
        ("option == 'p' && is_port(optarg)", "option == 'p' && (is_port(optarg) || true)"),
    ),
    server(
        "never-listens", "no listening socket",
        "listens_on_the_loopback_by_default", "not-listening",
        ("listen(listen_fd, SOMAXCONN) < 0", "listen_fd < 0"),
    ),
    server(
        "start-line-differs", "the start line is not the table's",
        "prints_its_start_line", "messages",
        ('"listening on"', '"Listening on"'),
    ),
    server(
        "port-asked-for-in-start-line", "the start line does not tell the real port",
        "tells_the_port_it_got", "messages",
        ('    print_address("listening on", &addr, len);',
         '    printf("listening on 127.0.0.1 port 0\\n");\n    fflush(stdout);'),
    ),
    server(
        "stdout-not-flushed", "stdout not flushed",
        "prints_its_start_line", "stdout-not-flushed",
        (" || fflush(stdout) == EOF", ""),
    ),
    server(
        "own-address-for-the-clients", "`connection from` with another address than the client's",
        "tells_who_connects", "messages",
        ('print_address("connection from", &peer_addr, len)',
         'print_address("connection from", &addr, len)'),
    ),
    server(
        "ends-after-one-client", "only one client ever served",
        "serves_one_client_after_the_other", "one-client-only",
        (ECHO, ECHO + "        exit(0);\n"),
    ),
    server(
        "accepts-once", "only one client ever served",
        "serves_the_client_that_had_to_wait", "one-client-only",
        (ECHO, ECHO + "        close(conn_fd);\n        pause();\n"),
    ),
    server(
        "closes-its-listener", "only one client ever served",
        "serves_one_client_after_the_other", "one-client-only",
        (ECHO, "        close(listen_fd);\n" + ECHO
         + "        close(conn_fd);\n        pause();\n"),
    ),
    server(
        "polls-for-clients", "busy waiting",
        "waits_without_using_the_processor", "busy-wait",
        *POLL_H,
        (BEFORE_ACCEPT, "        struct pollfd fds = { listen_fd, POLLIN, 0 };\n"
         "        while (poll(&fds, 1, 10) == 0)\n            ;\n" + BEFORE_ACCEPT),
    ),
    server(
        "spins-for-bytes", "busy waiting",
        "waits_without_using_the_processor", "busy-wait",
        (RECEIVE, "recv(conn_fd, buffer, sizeof buffer, MSG_DONTWAIT)"),
        (INTERRUPTED, "if (n < 0 && errno == EAGAIN)"),
    ),
    server(
        "reads-once", "one read, no loop",
        "echoes_again_and_again", "single-read",
        (AFTER_SENDING, "        return;\n"),
    ),
    server(
        "sends-its-whole-buffer", "`sizeof` sent instead of the bytes read",
        "echoes_a_line", "fixed-length",
        (BEFORE_SENDING, "        n = sizeof buffer;\n" + BEFORE_SENDING),
    ),
    server(
        "sends-64-bytes", "a fixed length sent instead of the bytes read",
        "echoes_a_line", "fixed-length",
        ("char buffer[BUFFER_SIZE];", "char buffer[BUFFER_SIZE] = \"\";"),
        (BEFORE_SENDING, "        n = 64;\n" + BEFORE_SENDING),
    ),
    server(
        "waits-for-a-full-buffer", "one read of a fixed length",
        "echoes_a_line", "no-answer",
        (RECEIVE, "recv(conn_fd, buffer, sizeof buffer, MSG_WAITALL)"),
    ),
    server(
        "cuts-at-nul", "data handled as a C string (cut at NUL)",
        "echoes_every_byte_value", "c-string",
        (RECEIVE, "recv(conn_fd, buffer, sizeof buffer - 1, 0)"),
        (BEFORE_SENDING, "        buffer[n] = '\\0';\n        n = (ssize_t)strlen(buffer);\n"
         + BEFORE_SENDING),
    ),
    server(
        "sends-old-bytes-too", "data handled as a C string (garbage after the end)",
        "echoes_again_and_again", "c-string",
        ("char buffer[BUFFER_SIZE];", "char buffer[BUFFER_SIZE] = \"\";"),
        (BEFORE_SENDING, "        n = (ssize_t)strlen(buffer);\n" + BEFORE_SENDING),
    ),
    server(
        "takes-an-interruption-for-the-end", "`EINTR` taken for an error",
        "goes_on_after_being_stopped", "eintr",
        (ECHO, "        struct timeval hour = { 3600, 0 };\n"
         "        setsockopt(conn_fd, SOL_SOCKET, SO_RCVTIMEO, &hour, sizeof hour);\n" + ECHO),
        (INTERRUPTED, "if (n < 0 && errno == EINTR)\n            return;\n        if (false)"),
    ),
    server(
        "forgets-what-send-did-not-take", "partial `write` not continued",
        "waits_for_a_slow_reader", "partial-write",
        (BEFORE_SENDING, "        if (send(conn_fd, buffer, (size_t)n, MSG_DONTWAIT) >= 0\n"
         "            || errno == EAGAIN)\n            continue;\n" + BEFORE_SENDING),
    ),
    server(
        "never-closes", "descriptor never closed (no FIN)",
        "closes_each_connection", "descriptor-leak",
        ("if (close(conn_fd) < 0)", "if (conn_fd < 0)"),
    ),
    server(
        "shuts-down-but-never-closes", "descriptor never closed (leak)",
        "keeps_no_descriptor", "descriptor-leak",
        ("if (close(conn_fd) < 0)", "if (shutdown(conn_fd, SHUT_WR) < 0)"),
    ),
    server(
        "closes-first", "the server's FIN is the first",
        "echoes_a_line", "first-closer",
        ("#include <netdb.h>", "#include <netdb.h>\n#include <netinet/tcp.h>"),
        (BEFORE_SENDING, "        int cork = 1;     /* the FIN leaves with the last byte */\n"
         "        setsockopt(conn_fd, IPPROTO_TCP, TCP_CORK, &cork, sizeof cork);\n"
         + BEFORE_SENDING),
        (AFTER_SENDING, "        shutdown(conn_fd, SHUT_WR);\n"),
    ),
    server(
        "closes-with-input-unread", "closed with input unread (RST)",
        "echoes_a_line", "unread-input-rst",
        (RECEIVE, "recv(conn_fd, buffer, 8, 0)"),
        (AFTER_SENDING, "        return;\n"),
    ),
    server(
        "linger-0", "`SO_LINGER` 0 (RST)",
        "echoes_a_line", "linger-rst",
        (BEFORE_CLOSING, "        struct linger now = { 1, 0 };\n"
         "        setsockopt(conn_fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);\n"
         + BEFORE_CLOSING),
    ),
    server(
        "leaves-zombies", "zombie children",
        "keeps_no_process", "zombie-children",
        (ECHO, "        if (fork() == 0) {\n            echo(conn_fd);\n            _exit(0);\n"
         "        }\n"),
    ),
    server(
        "leaves-a-child", "left-over child",
        "ends_while_it_serves", "left-over-process",
        (ECHO, "        signal(SIGCHLD, SIG_IGN);\n        if (fork() == 0) {\n"
         "            echo(conn_fd);\n            _exit(0);\n        }\n"),
    ),
    server(
        "killed-by-sigpipe", "killed by SIGPIPE",
        "outlives_a_client_that_does_not_wait", "sigpipe",
        ("signal(SIGPIPE, SIG_IGN)", "signal(SIGPIPE, SIG_DFL)"),
    ),
    server(
        "ended-by-epipe", "ended by a client's reset",
        "outlives_a_client_that_does_not_wait", "reset-ends-server",
        ('perror("server: send")', 'die("send")'),
    ),
    server(
        "ended-by-a-reset", "ended by a client's reset",
        "outlives_a_reset", "reset-ends-server",
        ('perror("server: recv")', 'die("recv")'),
    ),
    server(
        "ended-by-a-reset-while-it-sends", "ended by a client's reset",
        "outlives_a_reset_while_it_sends", "reset-ends-server",
        ('perror("server: send")', 'die("send")'),
    ),
    server(
        "ended-by-sigterm", "wrong exit status",
        "ends_by_a_signal[SIGTERM]", "exit-status",
        ("sigaction(SIGTERM, ", "sigaction(SIGUSR1, "),
    ),
    server(
        "ends-with-1", "wrong exit status",
        "ends_by_a_signal[SIGINT]", "exit-status",
        ("    _exit(0);", "    _exit(1);"),
    ),
    server(
        "does-not-end", "SIGTERM does not end it within a second",
        "ends_by_a_signal[SIGTERM]", "slow-end",
        ("    _exit(0);", ""),
    ),
    server(
        "dies-of-an-unknown-name", "the result of getaddrinfo is not looked at",
        "says_that_a_name_is_unknown", "lookup-error",
        ("    if (error != 0) {\n        fprintf(stderr, \"server: %s: %s\\n\", address,",
         "    if (error != 0) {\n        exit(list->ai_family);\n"
         "        fprintf(stderr, \"server: %s: %s\\n\", address,"),
    ),
    server(
        "takes-a-port-beyond-32-bits", "a port that overflows is taken",
        "explains_wrong_arguments[port-2^32+4321]", "usage",
        ("strtoul(text, NULL, 10) <= 65535", "(unsigned)strtoul(text, NULL, 10) <= 65535"),
    ),
    server(
        "leaks-after-a-reset", "a descriptor stays open for each reset",
        "outlives_a_reset", "descriptor-leak",
        ('            perror("server: recv"); ', '            (void)dup(conn_fd); '
         'perror("server: recv"); '),
    ),
    server(
        "looks-twenty-times-a-second", "busy waiting: a timeout of 50 ms in a loop",
        "waits_without_using_the_processor", "busy-wait", *POLL_H,
        (BEFORE_ACCEPT, "        while (poll(&(struct pollfd){listen_fd, POLLIN, 0}, 1, 50) == 0)"
         "\n            ;\n" + BEFORE_ACCEPT),
    ),
    server(
        "serves-on-after-sigint", "a signal is looked at between clients only",
        "ends_while_its_client_is_silent[SIGINT]", "slow-end",
        (ECHO, "        sigset_t set;\n        sigemptyset(&set);\n"
         "        sigaddset(&set, SIGINT);\n        sigprocmask(SIG_BLOCK, &set, NULL);\n"
         + ECHO + "        sigprocmask(SIG_UNBLOCK, &set, NULL);\n"),
    ),
    server(
        "takes-its-time-to-end", "the server ends 5 s after the signal",
        "ends_by_a_signal[SIGTERM]", "slow-end", *POLL_H,
        ("    _exit(0);", "    for (int i = 0; i < 50; i++)\n        poll(NULL, 0, 100);\n"
         "    _exit(0);"),
    ),
]

CONNECTS = "connect(conn_fd, ai->ai_addr, ai->ai_addrlen) == 0"
TO_STDOUT = "write(STDOUT_FILENO, down->next, down->len)"

CLIENTS = [
    client(
        "port-in-host-byte-order", "a port not in network byte order",
        "connects_to_the_right_port", "byte-order",
        (CONNECTS, "(((struct sockaddr_in *)ai->ai_addr)->sin_port = (in_port_t)atoi(port), "
         + CONNECTS + ")"),
    ),
    client(
        "address-in-host-byte-order", "an address not in network byte order",
        "connects_to_the_right_port", "byte-order",
        (CONNECTS, "(((struct sockaddr_in *)ai->ai_addr)->sin_addr.s_addr = INADDR_LOOPBACK, "
         + CONNECTS + ")"),
    ),
    client(
        "ignores-p", "another port than asked",
        "connects_to_the_right_port", "wrong-port",
        ("            port = optarg;", "            port = \"4321\";"),
    ),
    client(
        "udp", "UDP where TCP is asked",
        "connects_to_the_right_port", "udp-not-tcp",
        (".ai_socktype = SOCK_STREAM", ".ai_socktype = SOCK_DGRAM"),
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
        (".ai_flags = AI_NUMERICSERV", ".ai_flags = AI_NUMERICSERV | AI_NUMERICHOST"),
    ),
    client(
        "no-ipv6", "no IPv6",
        "connects_by_ipv6", "no-ipv6",
        ("AF_UNSPEC", "AF_INET"),
    ),
    client(
        "first-address-only", "a name's other addresses not tried",
        "understands_a_name", "first-address-only",
        ("ai != NULL; ai = ai->ai_next", "ai != NULL; ai = NULL"),
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
    ),
    client(
        "refusal-in-other-words", "not `program: what: why`",
        "says_that_nobody_listens", "messages",
        ('"client: connect to %s port %s: %s\\n"', '"Could not connect to %s port %s (%s)\\n"'),
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
        base="client_epoll",
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
        "dies-of-an-unknown-name", "the result of getaddrinfo is not looked at",
        "says_that_a_name_is_unknown", "lookup-error",
        ("    if (error != 0) {\n        fprintf(stderr, \"client: %s: %s\\n\", host,",
         "    if (error != 0) {\n        exit(list->ai_family);\n"
         "        fprintf(stderr, \"client: %s: %s\\n\", host,"),
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
]

KNOWN_WRONG = SERVERS + CLIENTS
