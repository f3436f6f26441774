"""Lab 03: `peer` made wrong."""

from __future__ import annotations

from known_wrong import KnownWrong

LAB = "03-udp"


def wrong(
    name: str, fault: str, killed_by: str, cause: str, *edits: tuple[str, str],
    file: str = "peer.c", base: str = "",
) -> KnownWrong:
    """A wrong peer, caught by test_peer_KILLED_BY; designs are made wrong in peer.c."""
    return KnownWrong(f"peer-{name}", fault, "peer", edits, f"test_peer_{killed_by}", cause, base,
                      file)


# Of the lab's net.c
BEFORE_BIND = "        if (fd >= 0 && bind("
LOOK_UP = "    int error = getaddrinfo("
FAMILY = "{ .ai_family = family,"
NUMERIC = "AI_NUMERICSERV | flags"

# Of the designs: poll
READ = "    ssize_t n = read(STDIN_FILENO, typed + used, sizeof typed - used);\n"
EACH_LINE = ("    for (char *end; (end = memchr(typed + start, '\\n', used - start)) != NULL; ) {\n"
             "        size_t len = (size_t)(end - typed) - start;\n")
LAST_LINE = "    if (n == 0 && used > 0)\n        send_line(fd, typed, used);\n"
SEND_ALL = ("    if (n > 0)\n"
            "        send_line(fd, typed, (size_t)n - (typed[n - 1] == '\\n'));\n")
TAKE = "    used += (size_t)n;\n    send_whole_lines(fd);\n"
TOO_LONG = "        send_line(fd, typed, used);     /* which says"
NO_NAME = '    printf("%s", name);\n'
ROOM = "static char data[ROOM];\n"
RECEIVED = "    if (n < 0)\n        return;\n    if (n == 0"
END_OF_STDIN = "            waited_for[1].fd = -1;\n"
BOTH = "poll(waited_for, 2, -1)"

# processes, threads, nonblocking, pselect
CHILDS_LINE = "send_line(fd, line, (size_t)len - (line[len - 1] == '\\n'))"
THREADS_LINE = "send_line(socket_fd, line, (size_t)len - (line[len - 1] == '\\n'))"
STRIP = "        if (n > 0 && data[n - 1] == '\\n')\n            n--;\n"
NAMED = "        int name_len = name_sender(text, &from);\n"
STDIN_IS_A_FILE = "    if (!watch(epoll_fd, STDIN_FILENO))\n        drain_stdin(fd);\n"
OPEN = "    int fd = open_peer(argc, argv);\n"

# Of the lab's peer.c and lines.c
BIND_TO = "    int fd = bind_to(address, plan->own_port, &own_addr);\n"
READ_MORE = "            read_more(&lines);\n"
LAST_BYTE = "    if (n > 0 && text[n - 1] == '\\n')\n        n--;\n"
LENGTH = "    if ((whole ? line->len : len) > MAX_DATAGRAM) {\n"

# -- The command line, the socket ------------------------------------------------------

SET_UP = [
    wrong(
        "usage-ends-with-1", "wrong exit status", "explains_wrong_arguments", "usage",
        ("    exit(2);", "    exit(1);"),
    ),
    wrong(
        "any-text-for-a-port", "a port that is none is taken", "explains_wrong_arguments", "usage",
        ("\n        || !is_port(argv[optind + 1])", ""),
    ),
    wrong(
        "dies-of-an-unknown-name", "the result of getaddrinfo is not looked at",
        "says_that_a_name_is_unknown", "lookup-error",
        ("    int error = getaddrinfo(name, port, &hints, &list);\n\n    if (error != 0) {",
         "    int error = getaddrinfo(name, port, &hints, &list);\n\n"
         "    if (error != 0 && list->ai_family) {"), file="net.c",
    ),
    wrong(
        "unknown-name-is-a-success", "wrong exit status",
        "says_that_a_name_is_unknown", "lookup-error",
        ("gai_strerror(error));\n        exit(1);", "gai_strerror(error));\n        exit(0);"),
        file="net.c",
    ),
    wrong(
        "taken-port-is-a-success", "wrong exit status",
        "says_that_its_port_is_taken", "address-in-use",
        ("strerror(why));\n        exit(1);", "strerror(why));\n        exit(0);"), file="net.c",
    ),
    wrong(
        "port-in-host-byte-order", "a port not in network byte order",
        "is_where_it_is_told", "byte-order",
        (BEFORE_BIND, "        ((struct sockaddr_in *)ai->ai_addr)->sin_port = (in_port_t)"
         "atoi(port);\n" + BEFORE_BIND),
        ("#include <errno.h>", "#include <errno.h>\n#include <netinet/in.h>"), file="net.c",
    ),
    wrong(
        "ignores-a", "another address than asked", "is_where_it_is_told", "wrong-address",
        ("            plan->address = optarg;", "            plan->address = NULL;"),
    ),
    wrong(
        "ignores-l", "another port than asked", "is_where_it_is_told", "wrong-port",
        ("bind_to(address, plan->own_port,", 'bind_to(address, "0",'),
    ),
    wrong(
        "wants-a-port-of-its-own", "port 0 is refused", "takes_any_free_port", "ended-early",
        ("option == 'l' && is_port(optarg)", "option == 'l' && is_port(optarg) && *optarg > '0'"),
    ),
    wrong(
        "open-to-the-network", "is at 0.0.0.0 when it is not told where",
        "is_at_the_loopback_address_of_hosts_family[ipv4]", "wrong-address",
        ('"::1" : "127.0.0.1";', '"::1" : "0.0.0.0";'),
    ),
    wrong(
        "always-at-127.0.0.1", "no IPv6",
        "is_at_the_loopback_address_of_hosts_family[ipv6]", "no-ipv6",
        ('"::1" : "127.0.0.1";', '"127.0.0.1" : "127.0.0.1";'),
    ),
    wrong(
        "dotted-addresses-only", "only dotted addresses understood",
        "understands_a_name[host]", "dotted-only",
        (NUMERIC, NUMERIC + " | AI_NUMERICHOST"), file="net.c",
    ),
    wrong(
        "dotted-own-address-only", "only dotted addresses understood, after -a",
        "understands_a_name[address]", "dotted-only",
        (BIND_TO, "    if (address[strspn(address, \"0123456789abcdef:.\")] != '\\0')\n"
         "        die(address);\n" + BIND_TO),
    ),
    wrong(
        "host-of-any-family", "sends to an address that its socket cannot reach",
        "understands_a_name[host-of-ipv4]", "first-address-only",
        ("addresses_of(plan->host, plan->port, own_addr.ss_family)",
         "addresses_of(plan->host, plan->port, AF_UNSPEC)"),
    ),
    wrong(
        "host-of-ipv4-only", "sends to an address that its socket cannot reach",
        "understands_a_name[host-of-ipv6]", "first-address-only",
        ("addresses_of(plan->host, plan->port, own_addr.ss_family)",
         "addresses_of(strcmp(plan->host, \"localhost\") ? plan->host : \"127.0.0.1\","
         " plan->port, AF_UNSPEC)"),
    ),
    wrong(
        "connected-at-every-address", "hears one sender only",
        "is_where_it_is_told", "connected-peer",
        (OPEN, OPEN + "    connect(fd, (struct sockaddr *)&other, other_len);\n"),
        base="peer-poll",
    ),
    wrong(
        "no-ipv6", "no IPv6", "talks_by_ipv6", "no-ipv6",
        (FAMILY, "{ .ai_family = AF_INET,"), file="net.c",
    ),
]

# -- What is typed ------------------------------------------------------------------------

SENDING = [
    wrong(
        "sends-the-newline", "the newline is sent, too", "sends_what_is_typed_at_once", "messages",
        (CHILDS_LINE, "send_line(fd, line, (size_t)len)"), base="peer-processes",
    ),
    wrong(
        "sends-all-at-the-end", "nothing is sent before the end of stdin",
        "sends_what_is_typed_at_once", "no-packets",
        (TAKE, "    used += (size_t)n;\n    if (n == 0)\n        send_whole_lines(fd);\n"),
        base="peer-poll",
    ),
    wrong(
        "sends-to-a-port-in-host-byte-order", "a port not in network byte order",
        "sends_what_is_typed_at_once", "byte-order",
        (OPEN, OPEN + "    struct sockaddr_in *to = (void *)&other;\n"
         "    to->sin_port = ntohs(to->sin_port);\n"), base="peer-poll",
    ),
    wrong(
        "sends-from-another-port", "another port than asked",
        "sends_what_is_typed_at_once", "wrong-port",
        (THREADS_LINE, "send_line(sending_fd, line, (size_t)len - (line[len - 1] == '\\n'))"),
        ("    char *line = NULL;\n",
         "    char *line = NULL;\n    int sending_fd = socket(AF_INET, SOCK_DGRAM, 0);\n"),
        base="peer-threads",
    ),
    wrong(
        "ignores-empty-lines", "empty datagrams ignored", "sends_empty_lines", "empty-datagram",
        ("        send_line(fd, typed + start, len);",
         "        if (len > 0)\n            send_line(fd, typed + start, len);"),
        base="peer-poll",
    ),
    wrong(
        "sends-one-line-a-time", "lines that came together are kept back",
        "sends_lines_that_come_together", "lines-kept-back",
        (EACH_LINE, "    char *end = memchr(typed, '\\n', used);\n    if (end != NULL) {\n"
         "        size_t len = (size_t)(end - typed);\n"), base="peer-poll",
    ),
    wrong(
        "sends-what-read-gives", "a line split over several datagrams",
        "sends_a_line_that_comes_in_pieces", "not-one-datagram",
        (TAKE, SEND_ALL),
        base="peer-poll",
    ),
    wrong(
        "sends-lines-in-one-datagram", "several lines in one datagram",
        "sends_lines_that_come_together", "not-one-datagram",
        (TAKE, SEND_ALL),
        base="peer-poll",
    ),
    wrong(
        "drops-a-last-line", "the last lines lost",
        "sends_a_last_line_without_newline", "lines-lost",
        (LAST_LINE, ""), base="peer-poll",
    ),
    wrong(
        "room-for-1024", "a line split over several datagrams",
        "sends_a_long_line[1473]", "not-one-datagram",
        (TAKE, TAKE + "    if (used > 1024) {\n        send_line(fd, typed, 1024);\n"
         "        memmove(typed, typed + 1024, used -= 1024);\n    }\n"),
        ("sizeof typed - used)", "1100 - used)"), base="peer-poll",
    ),
    wrong(
        "sends-frames", "a line split over several datagrams",
        "sends_a_long_line[1473]", "not-one-datagram",
        ("        " + CHILDS_LINE, "        for (ssize_t at = 0, left = len - 1; left > 0;"
         " at += 1472, left -= 1472)\n"
         "            send_line(fd, line + at, left > 1472 ? 1472 : (size_t)left)"),
        base="peer-processes",
    ),
    wrong(
        "cuts-at-65000", "cut datagrams", "sends_a_long_line[65507]", "cut-datagram",
        ("send_line(fd, line, used);", "send_line(fd, line, used > 65000 ? 65000 : used);"),
        base="peer-nonblocking",
    ),
    wrong(
        "cuts-what-is-too-long", "cut datagrams",
        "sends_nothing_of_a_line_that_is_too_long[newline]", "cut-datagram",
        ("send_line(fd, line, used);", "send_line(fd, line, used > LARGEST ? LARGEST : used);"),
        base="peer-nonblocking",
    ),
    wrong(
        "passes-over-what-is-too-long", "no word of a line that cannot be sent",
        "sends_nothing_of_a_line_that_is_too_long[newline]", "cut-datagram",
        ("    } else if (byte == '\\n') {",
         "    } else if (byte == '\\n' && used > LARGEST) {\n        used = 0;\n"
         "    } else if (byte == '\\n') {"),
        base="peer-nonblocking",
    ),
    wrong(
        "sends-strings", "text handled as a C string", "sends_every_byte_value", "c-string",
        (CHILDS_LINE, "line[strcspn(line, \"\\n\")] = 0, send_line(fd, line, strlen(line))"),
        base="peer-processes",
    ),
    wrong(
        "passes-over-a-last-line-that-is-too-long", "no word of a line that cannot be sent",
        "sends_nothing_of_a_line_that_is_too_long[end-of-stdin]", "cut-datagram",
        (LENGTH, "    if (newline == NULL && len > MAX_DATAGRAM) {\n        if (lines->ended)\n"
         "            lines->start = lines->end;\n        return false;\n    }\n" + LENGTH),
        file="lines.c",
    ),
    wrong(
        "ends-at-a-word", "a line that is a command", "sends_what_is_typed_at_once", "ended-early",
        (EACH_LINE, EACH_LINE + "        if (len == 4 && memcmp(typed + start, \"quit\", 4) == 0)\n"
         "            exit(0);\n"), base="peer-poll",
    ),
    wrong(
        "sends-no-blanks-at-an-end", "what is typed is cut",
        "sends_what_is_typed_at_once", "cut-datagram",
        (EACH_LINE, EACH_LINE + "        char *right = end;\n"
         "        while (len > 1 && strchr(\" \\r\", *--right) != NULL)\n            len--;\n"),
        ("        start += len + 1;", "        start = (size_t)(end - typed) + 1;"),
        base="peer-poll",
    ),
    wrong(
        "waits-by-epoll-for-a-file", "stdin that is a file is not read",
        "takes_its_stdin_from_a_file[file]", "lines-lost",
        (STDIN_IS_A_FILE, "    watch(epoll_fd, STDIN_FILENO);\n"), base="peer-nonblocking",
    ),
    wrong(
        "deaf-after-its-stdin", "stops printing at the end of stdin",
        "takes_its_stdin_from_a_file[dev-null]", "waits-for-one",
        (END_OF_STDIN, "            pause();\n"), base="peer-poll",
    ),
    wrong(
        "ended-by-a-refusal", "`Connection refused` ends it",
        "may_be_the_first_to_start", "refusal-ends-peer",
        (OPEN, OPEN + "    connect(fd, (struct sockaddr *)&other, other_len);\n"),
        base="peer-processes",
    ),
]

# -- What comes ----------------------------------------------------------------------------

PRINTING = [
    wrong(
        "stdout-not-flushed", "stdout not flushed",
        "prints_what_comes_at_once", "stdout-not-flushed",
        ("    if (fflush(stdout) != 0)", "    if (ferror(stdout))"), base="peer-pselect",
    ),
    wrong(
        "other-words", "what is printed is not the table's",
        "prints_what_comes_at_once", "messages",
        (NO_NAME, '    printf("from %s", name);\n'), base="peer-poll",
    ),
    wrong(
        "start-line", "prints a start line", "prints_what_comes_at_once", "messages",
        (OPEN, OPEN + '    puts("listening");\n'), base="peer-pselect",
    ),
    wrong(
        "newline-after-newline", "a newline too many", "prints_one_newline", "messages",
        (STRIP, ""), base="peer-processes",
    ),
    wrong(
        "strips-every-newline", "newlines cut that were sent", "prints_one_newline", "messages",
        (LAST_BYTE, LAST_BYTE.replace("if (", "while (")),
    ),
    wrong(
        "strips-cr-too", "a byte cut that was sent", "prints_one_newline", "messages",
        (LAST_BYTE, LAST_BYTE + LAST_BYTE.replace("\\n'", "\\r'")),
    ),
    wrong(
        "ignores-empty-datagrams", "empty datagrams ignored",
        "prints_empty_datagrams", "empty-datagram",
        (RECEIVED, "    if (n <= 0)\n        return;\n    if (n == 0"), base="peer-poll",
    ),
    wrong(
        "ends-at-an-empty-datagram", "an empty datagram taken for an end of file",
        "prints_empty_datagrams", "empty-datagram",
        ("        if (n < 0)\n            fail(\"recvfrom\");",
         "        if (n <= 0)\n            exit(0);"), base="peer-processes",
    ),
    wrong(
        "connected", "hears one sender only", "prints_what_anyone_sends", "connected-peer",
        (OPEN, OPEN + "    connect(fd, (struct sockaddr *)&other, other_len);\n"),
        base="peer-poll",
    ),
    wrong(
        "names-its-host", "every sender is said to be HOST", "prints_what_anyone_sends",
        "messages",
        ("    name_sender(name, &from);", "    name_sender(name, &other);"), base="peer-poll",
    ),
    wrong(
        "answers-whoever-spoke-last", "reply to the wrong sender",
        "prints_what_anyone_sends", "wrong-receiver",
        ("    name_sender(name, &from);", "    name_sender(name, &from);\n    other = from;"),
        base="peer-poll",
    ),
    wrong(
        "one-name-for-many", "lines mixed up", "prints_what_many_sent_meanwhile", "lines-mixed",
        ("    for (;;) {\n        socklen_t from_len",
         "    for (int name_len = 0; ; ) {\n        socklen_t from_len"),
        (NAMED, "        if (name_len == 0)\n            name_len = name_sender(text, &from);\n"),
        base="peer-nonblocking",
    ),
    wrong(
        "forgets-all-but-the-first", "the last lines lost",
        "prints_what_many_sent_meanwhile", "lines-lost",
        ("    if (n < 0)\n        return;\n    name_sender(",
         "    while (recv(fd, data, 0, MSG_DONTWAIT) >= 0)\n        ;\n    name_sender("),
        base="peer-pselect",
    ),
    wrong(
        "strips-any-last-byte", "the last byte is cut", "prints_a_long_datagram[1473]",
        "cut-datagram",
        (STRIP, "        if (n > 0)\n            n--;\n"), base="peer-processes",
    ),
    wrong(
        "prints-1024-bytes", "cut datagrams", "prints_a_long_datagram[1473]", "cut-datagram",
        ("struct iovec space = { data, sizeof data }", "struct iovec space = { data, 1024 }"),
        base="peer-threads",
    ),
    wrong(
        "receives-a-frame", "cut datagrams", "prints_a_long_datagram[1473]", "cut-datagram",
        ("struct iovec space = { data, sizeof data }", "struct iovec space = { data, 1472 }"),
        base="peer-threads",
    ),
    wrong(
        "receives-65000-bytes", "cut datagrams", "prints_a_long_datagram[65507]", "cut-datagram",
        (" text + NAME_ROOM, LARGEST, ", " text + NAME_ROOM, 65000, "), base="peer-nonblocking",
    ),
    wrong(
        "prints-strings", "text handled as a C string", "prints_every_byte_value", "c-string",
        ("fwrite(data, 1, (size_t)n, stdout) != (size_t)n || fflush",
         "(data[n] = 0, printf(\"%s\", data)) < 0 || fflush"), base="peer-poll",
    ),
    wrong(
        "prints-a-format", "input from the network reaches a format string",
        "prints_percent_signs", "format-string",
        ("fwrite(data, 1, (size_t)n, stdout) != (size_t)n || fflush",
         "(data[n] = 0, printf(data)) < 0 || fflush"), base="peer-poll",
    ),
    wrong(
        "no-brackets", "an IPv6 sender not printed as `[::1]:PORT`", "talks_by_ipv6", "messages",
        ('"[%s]:%s " : "%s:%s "', '"%s:%s " : "%s:%s "'),
    ),
]

# -- Both at once, stdout, the end -------------------------------------------------------------

TOGETHER = [
    wrong(
        "types-first", "deaf while it waits for stdin",
        "goes_both_ways_at_any_time", "waits-for-one",
        (BOTH, "poll(&waited_for[1], 1, -1)"), base="peer-poll",
    ),
    wrong(
        "waits-for-the-rest-of-a-line", "deaf while a line is typed",
        "prints_while_half_a_line_is_typed", "waits-for-one",
        (READ, "    ssize_t n = 0, got;\n"
         "    while ((got = read(STDIN_FILENO, typed + used + n, 1)) > 0)\n"
         "        if (typed[used + n++] == '\\n')\n            break;\n"), base="peer-poll",
    ),
    wrong(
        "ends-with-stdin", "ends at the end of stdin",
        "prints_on_after_the_end_of_stdin", "ended-early",
        (END_OF_STDIN, "            return 0;\n"), base="peer-poll",
    ),
    wrong(
        "forgets-what-waits-when-stdin-ends", "the last lines lost",
        "prints_on_after_the_end_of_stdin", "lines-lost",
        (READ_MORE, "            for (read_more(&lines); lines.ended; )\n"
         "                if (recv(fd, &line, 1, MSG_DONTWAIT) < 0)\n"
         "                    break;\n"),
    ),
    wrong(
        "polls-the-end-of-stdin", "busy waiting", "prints_on_after_the_end_of_stdin", "busy-wait",
        (END_OF_STDIN, "            ;\n"), base="peer-poll",
    ),
    wrong(
        "looks-every-10-ms", "busy waiting", "waits_without_using_the_processor", "busy-wait",
        (BOTH, "poll(waited_for, 2, 10)"), base="peer-poll",
    ),
    wrong(
        "ends-after-a-silent-second", "gives up a peer that is silent",
        "waits_without_using_the_processor", "own-timeout",
        ("        while (poll(fds, 3, sending ? 0 : -1) < 0)\n",
         "        int ready;\n        while ((ready = poll(fds, 3, sending ? 0 : 1000)) < 0)\n"),
        ("        if (fds[0].revents != 0)\n",
         "        if (ready == 0 && !sending)\n            exit(0);\n"
         "        if (fds[0].revents != 0)\n"),
    ),
    wrong(
        "takes-ctrl-z-for-an-error", "`EINTR` taken for an error",
        "goes_on_after_being_stopped", "eintr",
        ("        if (epoll_wait(epoll_fd, &event, 1, -1) <= 0)\n            continue;\n",
         "        if (epoll_wait(epoll_fd, &event, 1, -1) <= 0)\n"
         "            fail(\"epoll_wait\");\n"), base="peer-nonblocking",
    ),
    wrong(
        "prompts-at-a-terminal", "prints more than the table says", "at_a_terminal", "messages",
        (OPEN, OPEN + '    if (isatty(0))\n        dprintf(1, "> ");\n'), base="peer-poll",
    ),
    wrong(
        "drops-what-stdout-does-not-take", "partial `write` not continued",
        "prints_to_a_slow_reader", "partial-write",
        ("            poll(&room, 1, -1);\n", "            return;\n"),
        ("    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);\n",
         "    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);\n"
         "    fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK);\n"), base="peer-nonblocking",
    ),
    wrong(
        "goes-on-without-stdout", "does not end when its disk is full",
        "says_that_stdout_is_full", "slow-end",
        ("    if (fflush(stdout) != 0)", "    if (fflush(stdout) > 0)"), base="peer-pselect",
    ),
    wrong(
        "ended-by-sigint", "wrong exit status", "ends_by_a_signal[SIGINT]", "exit-status",
        ("    signal(SIGINT, end_with_success);\n", ""), base="peer-poll",
    ),
    wrong(
        "child-outlives-sigterm", "left-over child",
        "ends_by_a_signal[SIGTERM]", "left-over-process",
        ("prctl(PR_SET_PDEATHSIG, SIGKILL) < 0", "prctl(PR_SET_PDEATHSIG, 0) < 0"),
        base="peer-processes",
    ),
    wrong(
        "hears-no-sigint-after-its-stdin", "SIGINT does not end it",
        "ends_by_a_signal_after_its_stdin[SIGINT]", "slow-end",
        (END_OF_STDIN, END_OF_STDIN + "        if (waited_for[1].fd < 0)\n"
         "            signal(SIGINT, SIG_IGN);\n"), base="peer-poll",
    ),
    wrong(
        "hears-no-sigterm-after-its-stdin", "SIGTERM does not end it",
        "ends_by_a_signal_after_its_stdin[SIGTERM]", "slow-end",
        (END_OF_STDIN, END_OF_STDIN + "        if (waited_for[1].fd < 0)\n"
         "            signal(SIGTERM, SIG_IGN);\n"), base="peer-poll",
    ),
    wrong(
        "never-receives", "has a socket, and only sends",
        "takes_what_comes", "no-answer",
        ("    n = recvfrom(fd, text, ", "    pause();\n    n = recvfrom(fd, text, "),
    ),
    wrong(
        "selects-below-its-socket", "select() is told the highest descriptor, not one more",
        "takes_its_stdin_from_a_file[dev-null]", "waits-for-one",
        ("pselect(fd + 1,", "pselect(fd,"), base="peer-pselect",
    ),
]

KNOWN_WRONG = SET_UP + SENDING + PRINTING + TOGETHER

KNOWN_WRONG += [
    KnownWrong("peer-tcp", "TCP where UDP is asked", "peer",
               ((".ai_socktype = SOCK_DGRAM,", ".ai_socktype = SOCK_STREAM,"),),
               "test_peer_is_where_it_is_told", "tcp-not-udp", file="net.c"),
]
