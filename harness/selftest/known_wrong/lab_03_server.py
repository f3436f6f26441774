"""Lab 03: `server` made wrong, in its own file or in net.c."""

from __future__ import annotations

from known_wrong import KnownWrong

LAB = "03-udp"
NET = "net.c"


def server(
    name: str, fault: str, killed_by: str, cause: str, *edits: tuple[str, str], file: str = "",
    base: str = "",
) -> KnownWrong:
    """A wrong server; names are completed with what all of them begin with."""
    return KnownWrong(f"server-{name}", fault, "server", edits, f"test_server_{killed_by}", cause,
                      base, file)


BIND = "bind(fd, ai->ai_addr, ai->ai_addrlen) == 0"
IPV4 = "((struct sockaddr_in *)ai->ai_addr)"
HINTS = ".ai_flags = AI_NUMERICSERV | flags"
FAMILY = ".ai_family = family,"
BUFFER = "static char buffer[RECEIVE_SIZE];"
RECEIVE = "recvfrom(fd, buffer, sizeof buffer, 0,"
BEFORE_RECEIVING = "    n = recvfrom("
NOTHING = "    if (n < 0)\n        return;\n"
SEND = "sendto(fd, buffer, (size_t)n, 0,"
BEFORE_SENDING = "    if (sendto("
LOOP = "    for (;;)\n        echo_one(fd);\n"
STRINGS = ("#include <stdlib.h>", "#include <stdlib.h>\n#include <string.h>")

KNOWN_WRONG = [
    # The command line, the end
    server(
        "any-text-for-a-port", "a port that is none is taken",
        "explains_wrong_arguments", "usage",
        ("option == 'p' && is_port(optarg)", "option == 'p'"),
    ),
    server(
        "dotted-addresses-only", "only dotted addresses understood",
        "understands_a_name", "dotted-only",
        (HINTS, HINTS + " | AI_NUMERICHOST"), file=NET,
    ),
    server(
        "dies-of-an-unknown-name", "the result of getaddrinfo is not looked at",
        "says_that_a_name_is_unknown", "lookup-error",
        ("    int error = getaddrinfo(name, port, &hints, &list);\n",
         "    int error = getaddrinfo(name, port, &hints, &list);\n    flags = list->ai_family;\n"),
        file=NET,
    ),
    server(
        "ended-by-sigterm", "wrong exit status",
        "ends_by_a_signal[SIGTERM]", "exit-status",
        ("sigaction(SIGTERM, ", "sigaction(SIGUSR1, "), file=NET,
    ),
    server(
        "ends-with-1", "wrong exit status",
        "ends_by_a_signal[SIGINT]", "exit-status",
        ("    _exit(0);", "    _exit(1);"), file=NET,
    ),
    server(
        "does-not-end", "SIGTERM does not end it within a second",
        "ends_by_a_signal[SIGTERM]", "slow-end",
        ("    _exit(0);", ""), file=NET,
    ),
    # Where it is
    server(
        "port-in-host-byte-order", "a port not in network byte order",
        "is_at_its_port", "byte-order",
        (BIND, f"({IPV4}->sin_port = (in_port_t)atoi(port), {BIND})"), file=NET,
    ),
    server(
        "reuseaddr", "`SO_REUSEADDR`, with which two UDP sockets can have one port",
        "is_at_its_port", "address-in-use",
        (BIND, "setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) == 0 && " + BIND),
        file=NET,
    ),
    server(
        "address-in-host-byte-order", "an address not in network byte order",
        "is_at_its_port", "byte-order",
        (BIND, f"({IPV4}->sin_addr.s_addr = INADDR_LOOPBACK, {BIND})"), file=NET,
    ),
    server(
        "open-to-the-network", "at 0.0.0.0 when it is not told where",
        "is_at_its_port", "wrong-address",
        ('*address = "127.0.0.1"', '*address = "0.0.0.0"'),
    ),
    server(
        "tcp", "TCP where UDP is asked",
        "is_at_its_port", "tcp-not-udp",
        (".ai_socktype = SOCK_DGRAM,", ".ai_socktype = SOCK_STREAM,"),
        (BIND, f"{BIND} && listen(fd, 9) == 0"), file=NET,
    ),
    server(
        "tcp-too", "a TCP socket besides the UDP one",
        "is_at_its_port", "tcp-not-udp",
        ("    print_start_line(&own_addr);\n",
         "    listen(socket(AF_INET, SOCK_STREAM, 0), 9);\n    print_start_line(&own_addr);\n"),
    ),
    server(
        "not-bound", "no address given to the socket",
        "is_at_its_port", "not-bound",
        (BIND, "fd >= 0"), file=NET,
    ),
    server(
        "listens-on-a-udp-socket", "UDP used as if it were TCP",
        "is_at_its_port", "tcp-not-udp",
        ("    print_start_line(&own_addr);\n",
         '    if (listen(fd, 9) < 0)\n        die("listen");\n    print_start_line(&own_addr);\n'),
    ),
    server(
        "ignores-p", "another port than asked",
        "is_where_it_is_told", "wrong-port",
        ("            *port = optarg;", "            ;"),
    ),
    server(
        "no-ipv6", "no IPv6",
        "serves_ipv6", "no-ipv6",
        (FAMILY, ".ai_family = AF_INET,"), file=NET,
    ),
    server(
        "ipv4-sized-addresses", "no IPv6: an address has no room but for IPv4",
        "serves_ipv6", "no-ipv6",
        ("    struct sockaddr_storage peer_addr;\n", "    struct sockaddr_in peer_addr;\n"),
    ),
    server(
        "one-ipv6-address-in-place-of-all", "`-a ::` is ::1 alone",
        "serves_every_ipv6_address", "no-ipv6",
        ("getaddrinfo(name, port, ", 'getaddrinfo(strcmp(name, "::") ? name : "::1", port, '),
        file=NET,
    ),
    server(
        "taken-port-is-a-success", "wrong exit status",
        "says_that_its_port_is_taken", "address-in-use",
        ("program, address, port, strerror(why));\n        exit(1);",
         "program, address, port, strerror(why));\n        exit(0);"), file=NET,
    ),
    server(
        "start-line-differs", "the start line is not the table's",
        "prints_its_start_line", "messages",
        ('"listening on %s', '"Listening on %s'),
    ),
    server(
        "stdout-not-flushed", "stdout not flushed",
        "prints_its_start_line", "stdout-not-flushed",
        ("        || fflush(stdout) == EOF)", "       )"),
    ),
    server(
        "start-line-before-bind", "the start line promises what is not there yet",
        "prints_its_start_line", "no-answer",
        ("    int fd = bind_to(address, port, &own_addr);\n    print_start_line(&own_addr);\n",
         '    printf("listening on %s port %s\\n", address, port);\n    fflush(stdout);\n'
         "    pause();\n    int fd = bind_to(address, port, &own_addr);\n"),
    ),
    server(
        "port-asked-for-in-start-line", "the start line does not tell the real port",
        "tells_the_port_it_got", "messages",
        ("own.ip, own.port) < 0", 'own.ip, "0") < 0'),
    ),
    # Datagrams
    server(
        "sends-64-bytes", "a fixed length sent instead of the bytes received",
        "echoes_a_datagram", "fixed-length",
        (BUFFER, BUFFER.replace(";", ' = "";')), (SEND, "sendto(fd, buffer, 64, 0,"),
    ),
    server(
        "waits-for-more", "waits until a buffer is full",
        "echoes_a_datagram", "no-answer",
        (NOTHING, NOTHING + "    static ssize_t all;\n    if ((all += n) < 4096)\n"
         "        return;\n"),
    ),
    server(
        "answers-from-a-new-socket", "the reply comes from another port",
        "echoes_a_datagram", "reply-from-elsewhere",
        (BEFORE_SENDING, "    fd = socket(peer_addr.ss_family, SOCK_DGRAM, 0);\n" + BEFORE_SENDING),
        ("        complain(\"sendto\");\n", "        complain(\"sendto\");\n    close(fd);\n"),
    ),
    server(
        "answers-twice", "two replies to one datagram",
        "echoes_a_datagram", "surplus-datagrams",
        (BEFORE_SENDING, "    " + SEND + " (struct sockaddr *)&peer_addr, peer_len);\n"
         + BEFORE_SENDING),
    ),
    server(
        "splits-in-pieces", "a datagram split in several",
        "echoes_a_datagram_of_any_size[1473]", "not-one-datagram",
        (BEFORE_SENDING, "    for (; n > 1024; n -= 1024) {\n        sendto(fd, buffer, 1024, 0, "
         "(struct sockaddr *)&peer_addr, peer_len);\n"
         "        memmove(buffer, buffer + 1024, (size_t)n - 1024);\n    }\n" + BEFORE_SENDING),
        STRINGS,
    ),
    server(
        "cuts-at-a-packet", "cut datagrams",
        "echoes_a_datagram_of_any_size[1473]", "cut-datagram",
        (BUFFER, "static char buffer[1472];"),
    ),
    server(
        "cuts-at-1024", "cut datagrams",
        "echoes_a_datagram_of_any_size[1472]", "cut-datagram",
        (BUFFER, "static char buffer[1024];"),
    ),
    server(
        "single-bytes-are-too-short", "a datagram of one byte is passed over",
        "echoes_a_datagram_of_any_size[1]", "no-answer",
        (NOTHING, NOTHING.replace("n < 0", "n < 2")),
    ),
    server(
        "cuts-at-8192", "cut datagrams",
        "echoes_the_largest_datagram", "cut-datagram",
        (BUFFER, "static char buffer[8192];"),
    ),
    server(
        "passes-over-empty-datagrams", "empty datagrams ignored",
        "echoes_an_empty_datagram", "empty-datagram",
        (NOTHING, NOTHING.replace("n < 0", "n <= 0")),
    ),
    server(
        "ends-at-an-empty-datagram", "an empty datagram is taken for an end of file",
        "echoes_an_empty_datagram", "empty-datagram",
        (NOTHING, NOTHING + "    if (n == 0)\n        exit(0);\n"),
    ),
    server(
        "cuts-at-nul", "text handled as a C string (cut at NUL)",
        "echoes_every_byte_value", "c-string",
        STRINGS, (SEND, "sendto(fd, buffer, strnlen(buffer, (size_t)n), 0,"),
    ),
    server(
        "prints-into-its-reply", "what came is used as a format",
        "echoes_every_byte_value", "format-string",
        STRINGS,
        (BEFORE_SENDING, "    static char text[RECEIVE_SIZE];\n"
         "    if (memchr(buffer, 0, (size_t)n) == NULL) {\n        buffer[n] = 0;\n"
         "        n = snprintf(text, sizeof text, buffer);\n"
         "        memcpy(buffer, text, (size_t)n);\n    }\n" + BEFORE_SENDING),
    ),
    server(
        "sends-old-bytes-too", "text handled as a C string (garbage after the end)",
        "sends_back_no_more_than_came", "c-string",
        STRINGS, (SEND, "sendto(fd, buffer, strlen(buffer), 0,"),
    ),
    server(
        "spins-for-datagrams", "busy waiting",
        "waits_without_using_the_processor", "busy-wait",
        (RECEIVE, RECEIVE.replace("0,", "MSG_DONTWAIT,")),
        ("errno != EINTR)", "errno != EAGAIN)"),
    ),
    server(
        "looks-every-50-ms", "busy waiting: a timeout in a loop",
        "waits_without_using_the_processor", "busy-wait",
        ("#include <errno.h>", "#include <errno.h>\n#include <poll.h>"),
        (BEFORE_RECEIVING, "    while (poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 50) == 0)\n"
         "        ;\n" + BEFORE_RECEIVING),
    ),
    server(
        "ends-after-a-silent-second", "gives up a peer that is silent",
        "waits_without_using_the_processor", "own-timeout",
        ("#include <errno.h>", "#include <errno.h>\n#include <poll.h>"),
        (BEFORE_RECEIVING, "    if (poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 1000) == 0)\n"
         "        exit(0);\n" + BEFORE_RECEIVING),
    ),
    server(
        "takes-an-interruption-for-an-error", "`EINTR` taken for an error",
        "goes_on_after_being_stopped", "eintr",
        ("#include <errno.h>", "#include <errno.h>\n#include <sys/time.h>"),
        (LOOP, "    struct timeval hour = { 3600, 0 };\n"
         "    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &hour, sizeof hour);\n" + LOOP),
        ("    if (n < 0 && errno != EINTR) {\n", "    if (n < 0) {\n        die(\"recvfrom\");\n"),
    ),
    server(
        "forgets-what-waited", "what came while it was stopped is thrown away",
        "goes_on_after_being_stopped", "no-answer",
        (BEFORE_SENDING, "    char more[64];\n    while (recv(fd, more, sizeof more, "
         "MSG_DONTWAIT) >= 0)\n        ;\n" + BEFORE_SENDING),
    ),
    server(
        "strips-line-ends", "a datagram treated as a line: its newline is gone",
        "echoes_every_byte_value", "cut-datagram",
        (BEFORE_SENDING, "    if (n > 1 && buffer[n - 1] == '\\n')\n"
         "        n -= 1 + (buffer[n - 2] == '\\r');\n" + BEFORE_SENDING),
    ),
    # Whom it answers
    server(
        "no-room-for-the-sender", "recvfrom() is not told how long an address may be",
        "echoes_a_datagram", "wrong-receiver",
        ("    struct sockaddr_storage peer_addr;\n    socklen_t peer_len = sizeof peer_addr;\n",
         "    struct sockaddr_storage peer_addr = { 0 };\n    socklen_t peer_len = 0;\n"),
    ),
    server(
        "answers-the-first-client", "reply to the wrong sender",
        "answers_each_client", "wrong-receiver",
        ("    struct sockaddr_storage peer_addr;\n    socklen_t peer_len = sizeof peer_addr;\n",
         "    static struct sockaddr_storage peer_addr;\n    static socklen_t peer_len;\n"
         "    struct sockaddr_storage other;\n    socklen_t len = sizeof other;\n"),
        ("                 (struct sockaddr *)&peer_addr, &peer_len);\n",
         "                 (struct sockaddr *)&other, &len);\n"
         "    if (peer_len == 0) {\n        peer_addr = other;\n        peer_len = len;\n    }\n"),
    ),
    server(
        "answers-the-client-before", "reply to the wrong sender",
        "answers_each_client", "wrong-receiver",
        ("    struct sockaddr_storage peer_addr;\n", "    struct sockaddr_storage peer_addr;\n"
         "    static struct sockaddr_storage before;\n    static bool again;\n"),
        (BEFORE_SENDING, "    struct sockaddr_storage now = peer_addr;\n    if (again)\n"
         "        peer_addr = before;\n    before = now;\n    again = true;\n" + BEFORE_SENDING),
    ),
    server(
        "answers-everybody", "reply to the wrong sender, too",
        "answers_each_client", "wrong-receiver",
        ("    struct sockaddr_storage peer_addr;\n", "    struct sockaddr_storage peer_addr;\n"
         "    static struct sockaddr_storage known[8];\n    static int count;\n"),
        (BEFORE_SENDING, "    if (count < 8)\n        known[count++] = peer_addr;\n"
         "    for (int i = 0; i < count - 1; i++)\n        " + SEND
         + " (struct sockaddr *)&known[i], peer_len);\n" + BEFORE_SENDING),
    ),
    server(
        "answers-the-last-of-many", "reply to the wrong sender: of those that wait, the last",
        "answers_a_hundred_clients", "wrong-receiver",
        (BEFORE_SENDING, "    char more[64];\n    ssize_t len;\n"
         "    while ((len = recvfrom(fd, more, sizeof more, MSG_DONTWAIT,\n"
         "                           (struct sockaddr *)&peer_addr, &peer_len)) > 0)\n"
         "        sendto(fd, more, (size_t)len, 0, (struct sockaddr *)&peer_addr, peer_len);\n"
         + BEFORE_SENDING),
    ),
    server(
        "hears-its-first-client-only", "only one client ever served",
        "keeps_nothing_of_its_clients", "one-client-only",
        (BEFORE_SENDING, "    connect(fd, (struct sockaddr *)&peer_addr, peer_len);\n"
         + BEFORE_SENDING),
    ),
    server(
        "ends-after-one-client", "only one client ever served",
        "keeps_nothing_of_its_clients", "one-client-only",
        (LOOP, "    echo_one(fd);\n    return 0;\n"),
    ),
    server(
        "a-descriptor-for-each-datagram", "descriptor never closed (leak)",
        "keeps_nothing_of_its_clients", "descriptor-leak",
        (BEFORE_SENDING, "    fd = dup(fd);\n" + BEFORE_SENDING),
    ),
    server(
        "leaves-zombies", "zombie children",
        "keeps_nothing_of_its_clients", "zombie-children",
        (BEFORE_SENDING, "    if (fork() != 0)\n        return;\n" + BEFORE_SENDING),
        ('        complain("sendto");\n', '        complain("sendto");\n    _exit(0);\n'),
    ),
    server(
        "a-thread-for-each-datagram", "threads that stay",
        "keeps_nothing_of_its_clients", "left-over-thread",
        ("static void read_options(", "static void *stay(void *unused)\n{\n    pause();\n"
         "    return unused;\n}\n\nstatic void read_options("),
        ("#include <stdio.h>", "#include <pthread.h>\n#include <stdio.h>"),
        (BEFORE_SENDING, "    pthread_t thread;\n    pthread_create(&thread, NULL, stay, NULL);\n"
         + BEFORE_SENDING),
    ),
    server(
        "knows-128-clients", "a table of fixed size, and no room for another client",
        "answers_a_thousand_clients", "too-few-clients",
        STRINGS,
        (BEFORE_SENDING, "    static struct sockaddr_storage known[128];\n"
         "    static int count;\n    int i = 0;\n"
         "    while (i < count && memcmp(&known[i], &peer_addr, peer_len) != 0)\n        i++;\n"
         "    if (i == 128)\n        return;\n    if (i == count)\n"
         "        memcpy(&known[count++], &peer_addr, peer_len);\n" + BEFORE_SENDING),
    ),
    server(
        "ends-at-the-thousandth-datagram", "serves so many, and then no more",
        "answers_a_thousand_clients", "too-few-clients",
        (BEFORE_SENDING, "    static int count;\n    if (++count == 1000)\n        exit(1);\n"
         + BEFORE_SENDING),
    ),
    server(
        "ended-by-what-it-cannot-send", "ended by an error of sendto()",
        "outlives_a_sender_it_cannot_answer", "unreachable-ends-server",
        ('        complain("sendto");\n', '        die("sendto");\n'),
    ),
    server(
        "ended-by-a-client-that-has-gone", "ended by ICMP, port unreachable",
        "outlives_clients_that_do_not_wait", "unreachable-ends-server",
        (BEFORE_SENDING, "    if (connect(fd, (struct sockaddr *)&peer_addr, peer_len) < 0\n"
         "        || send(fd, buffer, (size_t)n, 0) < 0)\n        die(\"send\");\n"
         "    int error = 0;\n    socklen_t len = sizeof error;\n"
         "    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);\n"
         "    errno = error;\n    if (error != 0)\n        die(\"send\");\n"
         "    connect(fd, &(struct sockaddr){ AF_UNSPEC, \"\" }, sizeof(struct sockaddr));\n"
         "    return;\n" + BEFORE_SENDING),
    ),
    # What a program does before most of its steps are written
    server(
        "never-receives", "has a socket, and does nothing more",
        "takes_what_comes", "no-answer",
        (BEFORE_RECEIVING, "    pause();\n" + BEFORE_RECEIVING),
    ),
    # What its calls show is stronger than what a test is about
    server(
        "sends-a-string", "text handled as a C string",
        "echoes_an_empty_datagram", "c-string",
        STRINGS, (SEND, "sendto(fd, buffer, strlen(buffer), 0,"),
    ),
    server(
        "sends-a-string-to-ncat", "text handled as a C string",
        "echoes_to_ncat", "c-string",
        STRINGS, (SEND, "sendto(fd, buffer, strlen(buffer), 0,"),
    ),
    server(
        "sends-all-its-memory", "`sizeof` sent, more than a datagram has",
        "serves_ipv6", "fixed-length",
        (SEND, "sendto(fd, buffer, sizeof buffer, 0,"),
    ),
    server(
        "ends-with-its-first-datagram", "ends with status 0 in the middle",
        "echoes_an_empty_datagram", "ended-early",
        (LOOP, "    echo_one(fd);\n    return 0;\n"),
    ),
    server(
        "ends-before-a-client-that-has-gone", "ends with status 0 in the middle",
        "outlives_clients_that_do_not_wait", "ended-early",
        (LOOP, "    echo_one(fd);\n    return 0;\n"),
    ),
]
