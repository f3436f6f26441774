"""Lab 01: `server` made wrong, in its own file or in a module."""

from __future__ import annotations

from known_wrong import KnownWrong

LAB = "01-tcp-echo"
NET, ECHO = "net.c", "echo.c"


def server(
    name: str, fault: str, killed_by: str, cause: str, *edits: tuple[str, str], file: str = ""
) -> KnownWrong:
    """A wrong server; names are completed with what all of them begin with."""
    test, _, values = killed_by.partition("[")
    values = f"server-{values}" if values else "server]"
    return KnownWrong(f"server-{name}", fault, "server", edits, f"test_server_{test}[{values}",
                      cause, file=file)


SYSTEM_H = ("#include <unistd.h>",
            "#include <signal.h>\n#include <sys/socket.h>\n#include <unistd.h>")

BEFORE_BIND = "        if (bind(listen_fd, "
BINDS = "bind(listen_fd, ai->ai_addr, ai->ai_addrlen)"
BEFORE_ACCEPT = "        len = sizeof peer_addr;\n"
SERVE = "        echo(conn_fd);\n"
RECEIVE = "recv(conn_fd, buffer, sizeof buffer, 0)"
INTERRUPTED = "if (n < 0 && errno == EINTR)"
BEFORE_SENDING = "        if (send_all("
AFTER_SENDING = '            complain("send");\n            return;\n        }\n'
BEFORE_CLOSING = "        /* STEP 8: "

KNOWN_WRONG = [
    server(
        "port-in-host-byte-order", "a port not in network byte order",
        "listens_on_the_loopback_by_default", "byte-order",
        (BEFORE_BIND, "((struct sockaddr_in *)ai->ai_addr)->sin_port = (in_port_t)atoi(port);\n"
         + BEFORE_BIND),
        file=NET,
    ),
    server(
        "address-in-host-byte-order", "an address not in network byte order",
        "listens_on_the_loopback_by_default", "byte-order",
        (BEFORE_BIND, "((struct sockaddr_in *)ai->ai_addr)->sin_addr.s_addr = INADDR_LOOPBACK;\n"
         + BEFORE_BIND),
        file=NET,
    ),
    server(
        "ignores-p", "another port than asked",
        "listens_where_it_is_told", "wrong-port",
        ("            *port = optarg;", "            *port = \"4321\";"),
        file=NET,
    ),
    server(
        "open-to-the-network", "listens on 0.0.0.0 when it is not told where",
        "listens_on_the_loopback_by_default", "wrong-address",
        ('*address = "127.0.0.1"', '*address = "0.0.0.0"'),
    ),
    server(
        "udp", "UDP where TCP is asked",
        "speaks_tcp", "udp-not-tcp",
        (".ai_socktype = SOCK_STREAM,   /* TCP */", ".ai_socktype = SOCK_DGRAM,"),
        ("    if (listen(listen_fd, SOMAXCONN) < 0)", """
    for (char data[65536]; ; ) {
        len = sizeof addr;
        ssize_t n = recvfrom(listen_fd, data, sizeof data, 0, (struct sockaddr *)&addr, &len);
        sendto(listen_fd, data, (size_t)n, 0, (struct sockaddr *)&addr, len);
    }
    if (listen(listen_fd, SOMAXCONN) < 0)"""),
        file=NET,
    ),
    server(
        "dotted-addresses-only", "only dotted addresses understood",
        "understands_a_name", "dotted-only",
        ("AI_PASSIVE | AI_NUMERICSERV", "AI_PASSIVE | AI_NUMERICSERV | AI_NUMERICHOST"),
        file=NET,
    ),
    server(
        "no-ipv6", "no IPv6",
        "serves_ipv6", "no-ipv6",
        (".ai_family = AF_UNSPEC,       /* IPv4 or IPv6 */", ".ai_family = AF_INET,"),
        file=NET,
    ),
    server(
        "no-reuseaddr", "no `SO_REUSEADDR`",
        "can_be_started_again_at_once", "no-reuseaddr",
        ("SOL_SOCKET, SO_REUSEADDR,", "SOL_SOCKET, SO_KEEPALIVE,"),
        file=NET,
    ),
    server(
        "reuseport", "`SO_REUSEPORT` in place of `SO_REUSEADDR`",
        "can_be_started_again_at_once", "address-in-use",
        ("SOL_SOCKET, SO_REUSEADDR,", "SOL_SOCKET, SO_REUSEPORT,"),
        file=NET,
    ),
    server(
        "taken-port-is-a-success", "wrong exit status",
        "says_that_its_port_is_taken", "address-in-use",
        ("        exit(1);\n    }\n    return listen_fd;",
         "        exit(0);\n    }\n    return listen_fd;"),
        file=NET,
    ),
    server(
        "any-text-for-a-port", "wrong exit status",
        "explains_wrong_arguments[port-80x]", "usage",
        ("option == 'p' && is_port(optarg)", "option == 'p' && (is_port(optarg) || true)"),
        file=NET,
    ),
    server(
        "never-listens", "no listening socket",
        "listens_on_the_loopback_by_default", "not-listening",
        ("listen(listen_fd, SOMAXCONN) < 0", "listen_fd < 0"),
        file=NET,
    ),
    server(
        "gives-up", "ends with an error before it listens",
        "listens_on_the_loopback_by_default", "ended-early",
        ("listen(listen_fd, SOMAXCONN) < 0", "listen(-1, SOMAXCONN) < 0"),
        file=NET,
    ),
    server(
        "crashes", "uses a pointer that points nowhere",
        "listens_on_the_loopback_by_default", "crash",
        ("    serve(start_server(", "    *(volatile int *)16 = 0;\n    serve(start_server("),
    ),
    server(
        "crashes-with-its-client", "writes behind the end of an array",
        "echoes_a_line", "crash",
        (SERVE, "        raise(SIGABRT);\n" + SERVE), SYSTEM_H,
    ),
    server(
        "step-not-written", "a step is not written yet",
        "echoes_a_line", "not-written-yet",
        (SERVE, '        (void)!write(2, "server: not written yet: step 6: receive\\n", 41);\n'
         "        _exit(1);\n" + SERVE),
    ),
    server(
        "start-line-differs", "the start line is not the table's",
        "prints_its_start_line", "messages",
        ('"listening on"', '"Listening on"'),
        file=NET,
    ),
    server(
        "port-asked-for-in-start-line", "the start line does not tell the real port",
        "tells_the_port_it_got", "messages",
        ('    print_address("listening on", &addr, len);',
         '    printf("listening on 127.0.0.1 port 0\\n");\n    fflush(stdout);'),
        file=NET,
    ),
    server(
        "stdout-not-flushed", "stdout not flushed",
        "prints_its_start_line", "stdout-not-flushed",
        (" || fflush(stdout) == EOF", ""),
        file=NET,
    ),
    server(
        "own-address-for-the-clients", "`connection from` with another address than the client's",
        "tells_who_connects", "messages",
        ('print_address("connection from", &peer_addr, len)',
         "getsockname(conn_fd, (struct sockaddr *)&peer_addr, &len);\n"
         '    print_address("connection from", &peer_addr, len)'),
        file=NET,
    ),
    server(
        "ends-after-one-client", "only one client ever served",
        "serves_one_client_after_the_other", "one-client-only",
        (SERVE, SERVE + "        exit(0);\n"),
    ),
    server(
        "accepts-once", "only one client ever served",
        "serves_the_client_that_had_to_wait", "one-client-only",
        (SERVE, SERVE + "        close(conn_fd);\n        pause();\n"),
    ),
    server(
        "closes-its-listener", "only one client ever served",
        "serves_one_client_after_the_other", "one-client-only",
        (SERVE, "        close(listen_fd);\n" + SERVE
         + "        close(conn_fd);\n        pause();\n"),
    ),
    server(
        "polls-for-clients", "busy waiting",
        "waits_without_using_the_processor", "busy-wait",
        (BEFORE_ACCEPT, "        struct pollfd fds = { listen_fd, POLLIN, 0 };\n"
         "        while (poll(&fds, 1, 10) == 0)\n            ;\n" + BEFORE_ACCEPT),
        file=NET,
    ),
    server(
        "spins-for-bytes", "busy waiting",
        "waits_without_using_the_processor", "busy-wait",
        (RECEIVE, "recv(conn_fd, buffer, sizeof buffer, MSG_DONTWAIT)"),
        (INTERRUPTED, "if (n < 0 && errno == EAGAIN)"),
        file=ECHO,
    ),
    server(
        "reads-once", "one read, no loop",
        "echoes_again_and_again", "single-read",
        (AFTER_SENDING, AFTER_SENDING + "        return;\n"),
        file=ECHO,
    ),
    server(
        "sends-its-whole-buffer", "`sizeof` sent instead of the bytes read",
        "echoes_a_line", "fixed-length",
        (BEFORE_SENDING, "        n = sizeof buffer;\n" + BEFORE_SENDING),
        file=ECHO,
    ),
    server(
        "sends-64-bytes", "a fixed length sent instead of the bytes read",
        "echoes_a_line", "fixed-length",
        ("char buffer[BUFFER_SIZE];", "char buffer[BUFFER_SIZE] = \"\";"),
        (BEFORE_SENDING, "        n = 64;\n" + BEFORE_SENDING),
        file=ECHO,
    ),
    server(
        "waits-for-a-full-buffer", "one read of a fixed length",
        "echoes_a_line", "no-answer",
        (RECEIVE, "recv(conn_fd, buffer, sizeof buffer, MSG_WAITALL)"),
        file=ECHO,
    ),
    server(
        "cuts-at-nul", "data handled as a C string (cut at NUL)",
        "echoes_every_byte_value", "c-string",
        ("#include <errno.h>", "#include <errno.h>\n#include <string.h>"),
        (RECEIVE, "recv(conn_fd, buffer, sizeof buffer - 1, 0)"),
        (BEFORE_SENDING, "        buffer[n] = '\\0';\n        n = (ssize_t)strlen(buffer);\n"
         + BEFORE_SENDING),
        file=ECHO,
    ),
    server(
        "sends-old-bytes-too", "data handled as a C string (garbage after the end)",
        "echoes_again_and_again", "c-string",
        ("#include <errno.h>", "#include <errno.h>\n#include <string.h>"),
        ("char buffer[BUFFER_SIZE];", "char buffer[BUFFER_SIZE] = \"\";"),
        (BEFORE_SENDING, "        n = (ssize_t)strlen(buffer);\n" + BEFORE_SENDING),
        file=ECHO,
    ),
    server(
        "takes-an-interruption-for-the-end", "`EINTR` taken for an error",
        "goes_on_after_being_stopped", "eintr",
        ("    char buffer[BUFFER_SIZE];\n", "    char buffer[BUFFER_SIZE];\n"
         "    struct timeval hour = { 3600, 0 };\n"
         "    setsockopt(conn_fd, SOL_SOCKET, SO_RCVTIMEO, &hour, sizeof hour);\n"),
        ("            continue;                   /* a signal", "            return; /* a signal"),
        file=ECHO,
    ),
    server(
        "forgets-what-send-did-not-take", "partial `write` not continued",
        "waits_for_a_slow_reader", "partial-write",
        (BEFORE_SENDING, "        if (send(conn_fd, buffer, (size_t)n, MSG_DONTWAIT) >= 0\n"
         "            || errno == EAGAIN)\n            continue;\n" + BEFORE_SENDING),
        file=ECHO,
    ),
    server(
        "never-closes", "descriptor never closed (no FIN)",
        "closes_each_connection", "descriptor-leak",
        ("if (close(conn_fd) < 0)", "if (conn_fd < 0)"),
    ),
    server(
        "shuts-down-but-never-closes", "descriptor never closed (leak)",
        "keeps_no_descriptor", "descriptor-leak",
        SYSTEM_H,
        ("if (close(conn_fd) < 0)", "if (shutdown(conn_fd, SHUT_WR) < 0)"),
    ),
    server(
        "closes-first", "the server's FIN is the first",
        "echoes_a_line", "first-closer",
        ("#include <errno.h>",
         "#include <errno.h>\n#include <netinet/in.h>\n#include <netinet/tcp.h>"),
        (BEFORE_SENDING, "        int cork = 1;     /* the FIN leaves with the last byte */\n"
         "        setsockopt(conn_fd, IPPROTO_TCP, TCP_CORK, &cork, sizeof cork);\n"
         + BEFORE_SENDING),
        (AFTER_SENDING, AFTER_SENDING + "        shutdown(conn_fd, SHUT_WR);\n"),
        file=ECHO,
    ),
    server(
        "closes-with-input-unread", "closed with input unread (RST)",
        "echoes_a_line", "unread-input-rst",
        (RECEIVE, "recv(conn_fd, buffer, 8, 0)"),
        (AFTER_SENDING, AFTER_SENDING + "        return;\n"),
        file=ECHO,
    ),
    server(
        "linger-0", "`SO_LINGER` 0 (RST)",
        "echoes_a_line", "linger-rst",
        SYSTEM_H,
        (BEFORE_CLOSING, "        struct linger now = { 1, 0 };\n"
         "        setsockopt(conn_fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);\n"
         + BEFORE_CLOSING),
    ),
    server(
        "leaves-zombies", "zombie children",
        "keeps_no_process", "zombie-children",
        SYSTEM_H,
        (SERVE, "        if (fork() == 0) {\n            echo(conn_fd);\n            _exit(0);\n"
         "        }\n"),
    ),
    server(
        "leaves-a-child", "left-over child",
        "ends_while_it_serves", "left-over-process",
        SYSTEM_H,
        (SERVE, "        signal(SIGCHLD, SIG_IGN);\n        if (fork() == 0) {\n"
         "            echo(conn_fd);\n            _exit(0);\n        }\n"),
    ),
    server(
        "killed-by-sigpipe", "killed by SIGPIPE",
        "outlives_a_client_that_does_not_wait", "sigpipe",
        ("signal(SIGPIPE, SIG_IGN)", "signal(SIGPIPE, SIG_DFL)"),
        file=NET,
    ),
    server(
        "ended-by-epipe", "ended by a client's reset",
        "outlives_a_client_that_does_not_wait", "reset-ends-server",
        ('complain("send")', 'die("send")'),
        file=ECHO,
    ),
    server(
        "ended-by-a-reset", "ended by a client's reset",
        "outlives_a_reset", "reset-ends-server",
        ('complain("recv")', 'die("recv")'),
        file=ECHO,
    ),
    server(
        "ended-by-a-reset-while-it-sends", "ended by a client's reset",
        "outlives_a_reset_while_it_sends", "reset-ends-server",
        ('complain("send")', 'die("send")'),
        file=ECHO,
    ),
    server(
        "ended-by-sigterm", "wrong exit status",
        "ends_by_a_signal[SIGTERM]", "exit-status",
        ("sigaction(SIGTERM, ", "sigaction(SIGUSR1, "),
        file=NET,
    ),
    server(
        "ends-with-1", "wrong exit status",
        "ends_by_a_signal[SIGINT]", "exit-status",
        ("    _exit(0);", "    _exit(1);"),
        file=NET,
    ),
    server(
        "does-not-end", "SIGTERM does not end it within a second",
        "ends_by_a_signal[SIGTERM]", "slow-end",
        ("    _exit(0);", ""),
        file=NET,
    ),
    server(
        "dies-of-an-unknown-name", "the result of getaddrinfo is not looked at",
        "says_that_a_name_is_unknown", "lookup-error",
        ("    if (error != 0)\n        unknown(address, error);",
         "    if (error != 0)\n        exit(list->ai_family);"),
        file=NET,
    ),
    server(
        "takes-a-port-beyond-32-bits", "a port that overflows is taken",
        "explains_wrong_arguments[port-2^32+4321]", "usage",
        ("strtoul(text, NULL, 10) <= 65535", "(unsigned)strtoul(text, NULL, 10) <= 65535"),
        file=NET,
    ),
    server(
        "leaks-after-a-reset", "a descriptor stays open for each reset",
        "outlives_a_reset", "descriptor-leak",
        ('            complain("recv"); ', '            (void)dup(conn_fd); complain("recv"); '),
        file=ECHO,
    ),
    server(
        "looks-twenty-times-a-second", "busy waiting: a timeout of 50 ms in a loop",
        "waits_without_using_the_processor", "busy-wait",
        (BEFORE_ACCEPT, "        while (poll(&(struct pollfd){listen_fd, POLLIN, 0}, 1, 50) == 0)"
         "\n            ;\n" + BEFORE_ACCEPT),
        file=NET,
    ),
    server(
        "serves-on-after-sigint", "a signal is looked at between clients only",
        "ends_while_its_client_is_silent[SIGINT]", "slow-end",
        SYSTEM_H,
        (SERVE, "        sigset_t set;\n        sigemptyset(&set);\n"
         "        sigaddset(&set, SIGINT);\n        sigprocmask(SIG_BLOCK, &set, NULL);\n"
         + SERVE + "        sigprocmask(SIG_UNBLOCK, &set, NULL);\n"),
    ),
    server(
        "takes-its-time-to-end", "the server ends 5 s after the signal",
        "ends_by_a_signal[SIGTERM]", "slow-end",
        ("    _exit(0);", "    for (int i = 0; i < 50; i++)\n        poll(NULL, 0, 100);\n"
         "    _exit(0);"),
        file=NET,
    ),
    server(
        "ends-after-its-25th-client", "only so many clients ever served",
        "serves_one_client_after_the_other", "one-client-only",
        (SERVE, SERVE + "        static int served;\n        if (++served == 25)\n"
         "            exit(0);\n"),
    ),
    server(
        "one-ipv6-address-in-place-of-all", "`-a ::` listens on ::1 alone",
        "listens_on_every_ipv6_address", "no-ipv6",
        ("getaddrinfo(address, port, ", 'getaddrinfo(strcmp(address, "::") ? address : "::1", '
         "port, "),
        file=NET,
    ),
    # What a program does before most of its steps are written
    server(
        "ends-before-it-listens", "no call of socket() at all",
        "has_a_socket", "ended-early",
        ("    serve(start_server(address, port));", "    exit(start_server != NULL && serve);"),
        ("#include <unistd.h>", "#include <stdlib.h>\n#include <unistd.h>"),
    ),
    server(
        "never-accepts", "listens, and does nothing more",
        "accepts_a_client", "not-accepted",
        (BEFORE_ACCEPT, "        pause();\n" + BEFORE_ACCEPT), file=NET,
    ),
    server(
        "ends-with-its-first-client", "only one client ever served",
        "goes_on_after_a_silent_client", "one-client-only",
        (SERVE, SERVE + "        _exit(0);\n"),
    ),
    server(
        "ends-after-a-silent-client", "only one client ever served",
        "closes_after_a_client_that_sent_nothing", "one-client-only",
        ("#include <sys/socket.h>", "#include <sys/socket.h>\n#include <unistd.h>"),
        ("    char buffer[BUFFER_SIZE];\n", "    char buffer[BUFFER_SIZE];\n    int first = 1;\n"),
        ("        if (n == 0)\n            return;  ", "        if (n == 0 && first)\n"
         "            _exit(0);\n        first = 0;\n        if (n == 0)\n            return;  "),
        file=ECHO,
    ),
    server(
        "answers-nothing", "data is received and thrown away",
        "sends_back_what_comes", "no-answer",
        (BEFORE_SENDING, "        if (n < 0 && send_all("), file=ECHO,
    ),
    # A call that fails, or is missing, is stronger than what a test is about
    server(
        "ends-after-socket", "ends with status 0 before it listens",
        "understands_a_name", "ended-early",
        ("        int yes = 1;", "        if (listen_fd >= 0)\n            exit(0);\n"
         "        int yes = 1;"), file=NET,
    ),
    server(
        "never-binds", "listens at a port that the kernel chose",
        "serves_ipv6", "not-listening",
        (BINDS + " == 0", "listen_fd >= 0"), file=NET,
    ),
    server(
        "length-of-another-address", "bind() is told a wrong length",
        "serves_ipv6", "ended-early",
        (BINDS, "bind(listen_fd, ai->ai_addr, sizeof(struct sockaddr))"), file=NET,
    ),
    server(
        "ignores-a", "another address than asked",
        "understands_a_name", "wrong-address",
        ("    int listen_fd = bind_to(",
         "    address = \"0.0.0.0\";\n    int listen_fd = bind_to("),
        file=NET,
    ),
    server(
        "no-length-for-accept", "accept() is told a length that is none",
        "serves_ipv6", "not-accepted",
        (BEFORE_ACCEPT, "        len = (socklen_t)-1;\n"), file=NET,
    ),
    server(
        "sends-to-its-listener", "send() on the listening socket",
        "echoes_a_line", "wrong-descriptor",
        ("send_all(conn_fd, ", "send_all(3, "), file=ECHO,
    ),
    server(
        "ends-with-what-it-got", "ends with status 0 in the middle",
        "echoes_a_line", "ended-early",
        (BEFORE_SENDING, "        if (n > 0)\n            _exit(0);\n" + BEFORE_SENDING),
        ("#include <errno.h>", "#include <errno.h>\n#include <unistd.h>"), file=ECHO,
    ),
    # What it does with the bytes
    server(
        "says-what-it-does", "words of its own before the data",
        "echoes_a_line_split_into_single_bytes", "messages",
        (BEFORE_SENDING, '        send_all(conn_fd, "echo: ", 6);\n' + BEFORE_SENDING), file=ECHO,
    ),
    server(
        "prints-what-it-gets", "the data go to stdout, not to the connection",
        "echoes_a_line", "messages",
        ("send_all(conn_fd, buffer, (size_t)n)", "write(1, buffer, (size_t)n)"),
        ("#include <errno.h>", "#include <errno.h>\n#include <unistd.h>"), file=ECHO,
    ),
    server(
        "puts-what-it-gets-into-a-buffer", "the data go into stdio's buffer",
        "answers_after_the_clients_fin", "no-answer",
        ("send_all(conn_fd, buffer, (size_t)n) < 0", 'printf("%.*s", (int)n, buffer) < 0'),
        ("#include <errno.h>", "#include <errno.h>\n#include <stdio.h>"), file=ECHO,
    ),
    server(
        "echoes-whole-lines", "waits for a newline",
        "echoes_every_byte_value", "no-answer",
        ("ssize_t n = " + RECEIVE + ";", "ssize_t n = 0, got;\n        do {\n"
         "            got = recv(conn_fd, buffer + n, 1, 0);\n            n += got > 0;\n"
         "        } while (got > 0 && buffer[n - 1] != '\\n');"), file=ECHO,
    ),
    server(
        "leaves-out-the-last-byte", "one byte too few is sent",
        "echoes_a_line", "other",
        ("send_all(conn_fd, buffer, (size_t)n)", "send_all(conn_fd, buffer, (size_t)n - 1)"),
        file=ECHO,
    ),
    server(
        "leaves-out-the-last-byte-of-each-piece", "one byte too few is sent",
        "echoes_a_line_split_into_single_bytes", "other",
        ("recv(conn_fd, buffer, sizeof buffer, 0)", "recv(conn_fd, buffer, 2, MSG_WAITALL)"),
        ("send_all(conn_fd, buffer, (size_t)n)", "send_all(conn_fd, buffer, (size_t)n - 1)"),
        file=ECHO,
    ),
    server(
        "passes-over-the-end-of-file", "recv() that returns 0 is not looked at",
        "answers_after_the_clients_fin", "busy-wait",
        ("        if (n == 0)\n            return;                     /* the client's FIN: end of "
         "file */\n", ""), file=ECHO,
    ),
    server(
        "keeps-ncat-waiting", "descriptor never closed (no FIN)",
        "serves_ncat", "descriptor-leak",
        ("        if (close(conn_fd) < 0)\n", "        if (conn_fd < 0)\n"),
    ),
    server(
        "says-it-on-stderr", "the start line is on stderr",
        "understands_a_name", "messages",
        ('printf("%s %s port %s\\n", what, ip, port) < 0 || fflush(stdout) == EOF',
         'fprintf(stderr, "%s %s port %s\\n", what, ip, port) < 0'), file=NET,
    ),
    server(
        "tells-the-port-in-host-byte-order", "a printed port with its two bytes exchanged",
        "goes_on_after_a_silent_client", "byte-order",
        ("    print_address(\"connection from\", &peer_addr, len);\n",
         "    in_port_t *told = &((struct sockaddr_in *)&peer_addr)->sin_port;\n"
         "    *told = (in_port_t)(*told << 8 | *told >> 8);\n"
         "    print_address(\"connection from\", &peer_addr, len);\n"),
        file=NET,
    ),
]
