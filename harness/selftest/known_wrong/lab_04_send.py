"""Lab 04: send_server.c and send_client.c made wrong, also in their parts of net.c and files.c."""

from __future__ import annotations

from known_wrong import KnownWrong

LAB = "04-file-transfer"


def server(
    name: str, fault: str, killed_by: str, cause: str, *edits: tuple[str, str], file: str = "",
    base: str = "",
) -> KnownWrong:
    """A wrong send_server; names are completed with what all of them begin with."""
    return KnownWrong(f"send_server-{name}", fault, "send_server", edits,
                      f"test_send_server_{killed_by}", cause, base, file)


def client(
    name: str, fault: str, killed_by: str, cause: str, *edits: tuple[str, str], file: str = "",
    base: str = "",
) -> KnownWrong:
    """A wrong send_client."""
    return KnownWrong(f"send_client-{name}", fault, "send_client", edits,
                      f"test_{killed_by}" if killed_by.startswith("pair_")
                      else f"test_send_client_{killed_by}", cause, base, file)


SEND = "    while (offset < status.st_size) {"
"""In send_server: from here on the file is sent."""
CLOSE = "    close_first(conn_fd, PATIENCE);"
SERVE = "        serve_client(conn_fd, file_fd, path);"
ALONE = (
    ("pid_t child = fork_child(&peer_addr, &place);", "pid_t child = 0;"),
    ("            close(listen_fd);\n", ""), ("            _exit(0);\n", "            continue;\n"),
    ("    watch_children();\n", "    clean_up_on_signals(0);\n"),
)
"""One process for all clients: what goes wrong with one is not the end of a child only."""
SAVE = "!save(saving, from, (size_t)n)"
"""In send_client: what was received is saved."""
GIVE_UP = "            give_up_saving(saving);\n"
READ = "        n = read(fd, buffer, size);"
"""In net.c, and again where a signal interrupted that."""
AGAIN = "    while (n < 0 && errno == EINTR);\n    return n;"


def sends(how: str, size: str = "4096") -> tuple[str, str]:
    """The file, read from where its descriptor is in parts of SIZE bytes: HOW each is sent."""
    return (SEND, f"    char part[{size}];\n    ssize_t n;\n"
                  f"    while ((n = read(file_fd, part, sizeof part)) > 0)\n        {how};\n"
                  "    while (false) {")


def forks(first: str = "") -> tuple[str, str]:
    """A process for each client, which does what FIRST says; nobody waits for it."""
    return (SERVE, f"        if (fork() == 0) {{\n            {first}\n    {SERVE}\n"
                   "            _exit(0);\n        }\n        close(conn_fd);")


SERVERS = [
    # The command line, listening
    server(
        "takes-port-65536", "a port that is none", "explains_wrong_arguments", "usage",
        ("is_number(text, 65535)", "is_number(text, 65536)"), file="net.c",
    ),
    server(
        "takes-two-files", "a surplus word is no usage error", "explains_wrong_arguments",
        "usage",
        ("optind != argc - 1", "optind >= argc"),
    ),
    server(
        "needs-no-file", "no file is no usage error", "explains_wrong_arguments", "usage",
        ("    if (optind != argc - 1)\n        usage();", ""),
        ("const char *path = argv[optind];", 'const char *path = "none";'),
    ),
    server(
        "at-port-6667", "another port than the table's", "listens_at_its_own_port", "wrong-port",
        ('*port = "6666"', '*port = "6667"'),
    ),
    server(
        "open-to-the-network", "listens on 0.0.0.0 when it is not told where",
        "listens_at_its_own_port", "wrong-address",
        ('*address = "127.0.0.1"', '*address = "0.0.0.0"'),
    ),
    server(
        "swaps-its-port", "a port not in network byte order", "listens_at_its_own_port",
        "byte-order",
        ("return bind(fd,", "((struct sockaddr_in *)ai->ai_addr)->sin_port = atoi(\"6666\");\n"
         "    return bind(fd,"), file="net.c",
    ),
    server(
        "stdout-not-flushed", "stdout not flushed", "listens_at_its_own_port",
        "stdout-not-flushed",
        ("fflush(stdout) == EOF", "ferror(stdout)"), file="net.c",
    ),
    server(
        "no-ipv6", "no IPv6", "listens_where_it_is_told", "no-ipv6",
        ("AF_UNSPEC,", "AF_INET,"), file="net.c",
    ),
    server(
        "dotted-addresses-only", "only dotted addresses understood", "understands_a_name",
        "dotted-only",
        ("AI_NUMERICSERV | flags", "AI_NUMERICSERV | AI_NUMERICHOST | flags"), file="net.c",
    ),
    server(
        "says-nothing-of-a-taken-port", "an error ends it with success",
        "says_that_its_port_is_taken", "address-in-use",
        ("        exit(1);\n    }\n    return fd;", "        exit(0);\n    }\n    return fd;"),
        file="net.c",
    ),
    server(
        "says-nothing-of-a-missing-file", "wrong exit status", "says_that_there_is_no_file",
        "no-error-told",
        ("        die(path);\n    if (!S_ISREG", "        exit(0);\n    if (!S_ISREG"),
    ),
    server(
        "looks-for-its-file-later", "that there is no file is not told",
        "says_that_there_is_no_file", "no-error-told",
        ("int file_fd = open_file(path);", ""),
        (SERVE, SERVE.replace("file_fd", "open_file(path)")),
    ),
    server(
        "takes-a-folder", "a folder is taken for a file", "says_that_it_is_no_file[folder]",
        "not-a-file",
        ("if (!S_ISREG(status.st_mode))", "if (!S_ISREG(status.st_mode) && "
         "!S_ISDIR(status.st_mode))"),
    ),
    server(
        "waits-for-a-fifo", "a FIFO is opened, and that waits", "says_that_it_is_no_file[fifo]",
        "not-a-file",
        ("O_RDONLY | O_NONBLOCK", "O_RDONLY"),
    ),
    # The name line
    server(
        "tells-its-folders", "the whole path in the name line",
        "tells_the_base_name[in-folders]", "name-line",
        ('"%s\\n", base_name(path)', '"%s\\n", path'),
    ),
    server(
        "no-newline", "no newline behind the name", "tells_the_base_name[plain]", "name-line",
        ('"%s\\n", base_name', '"%s", base_name'),
    ),
    server(
        "crlf", "CR LF behind the name", "tells_the_base_name[plain]", "name-line",
        ('"%s\\n", base_name', '"%s\\r\\n", base_name'),
    ),
    server(
        "sends-the-nul-too", "a NUL behind the line", "tells_the_base_name[plain]", "name-line",
        ("line, (size_t)len)", "line, (size_t)len + 1)"),
    ),
    server(
        "sends-its-whole-line-buffer", "`sizeof` sent instead of the line's length",
        "tells_the_base_name[plain]", "name-line",
        ("line, (size_t)len)", "line, sizeof line)"),
    ),
    server(
        "name-as-a-format", "a name is used as a format", "tells_the_base_name[as-a-format]",
        "format-string",
        ('sizeof line, "%s\\n", base_name(path))', "sizeof line, base_name(path), 0, &(int){ 0 })"),
        ("if (send_all(conn_fd, line, (size_t)len) < 0)",
         "line[len] = '\\n';\n    if (send_all(conn_fd, line, (size_t)len + 1) < 0)"),
    ),
    server(
        "short-names-only", "a long name is cut", "tells_the_base_name[the-longest]", "name-line",
        ('"%s\\n", base_name', '"%.100s\\n", base_name'),
    ),
    # The file
    server(
        "one-read", "one read, no loop", "sends_the_file[a-byte-more]", "partial-file",
        sends("{ send_all(conn_fd, part, (size_t)n); break; }", "65536"),
    ),
    server(
        "loses-a-byte-of-each-block", "byte differences at block borders",
        "sends_the_file[a-block]", "block-border",
        sends("send_all(conn_fd, part, (size_t)n - (n == sizeof part))"),
    ),
    server(
        "nul-behind-each-block", "byte differences at block borders", "sends_the_file[a-block]",
        "block-border",
        sends("{ part[n] = 0; send_all(conn_fd, part, (size_t)n + 1); }", "4097 - 1"),
    ),
    server(
        "sends-lines", "text-mode translation", "sends_the_file[a-block]", "text-mode",
        sends("for (char *c = part; c < part + n; c++)\n"
              "            send_all(conn_fd, *c == '\\n' ? \"\\r\\n\" : c, *c == '\\n' ? 2 : 1)"),
    ),
    server(
        "sends-a-string", "data handled as a C string (cut at NUL)", "sends_the_file[a-block]",
        "c-string",
        sends("send_all(conn_fd, part, strnlen(part, (size_t)n))"),
    ),
    server(
        "sends-its-whole-buffer", "`sizeof` sent instead of the bytes read",
        "sends_the_file[a-byte]", "fixed-length",
        sends("send_all(conn_fd, part, sizeof part)"),
    ),
    server(
        "ignores-what-send-returns", "partial `write` not continued", "waits_for_a_slow_reader",
        "partial-write",
        *ALONE, (SEND, "    for (int once = 0; once < 1; once++) {"),
    ),
    server(
        "asks-again-and-again", "busy waiting", "waits_for_a_slow_reader", "busy-wait",
        sends("for (ssize_t done = 0, m; done < n; done += m)\n            "
              "if ((m = send(conn_fd, part + done, (size_t)(n - done), MSG_DONTWAIT)) < 0)\n"
              "                m = 0"),
    ),
    server(
        "one-offset-for-all", "a later client gets what the last one left",
        "begins_anew_for_each_client", "shared-offset",
        sends("send_all(conn_fd, part, (size_t)n)"),
    ),
    server(
        "serves-one-client", "only one client ever served", "begins_anew_for_each_client",
        "one-client-only",
        *ALONE, (SERVE, SERVE + "\n        close(listen_fd);\n        pause();"),
    ),
    server(
        "children-share-the-offset", "processes share the offset of one open file",
        "has_the_client_wait_that_came_later", "shared-offset",
        forks("lseek(file_fd, 0, SEEK_SET);"), sends("send_all(conn_fd, part, (size_t)n)"),
    ),
    server(
        "opens-its-file-again", "the file is opened anew for each client",
        "opens_its_file_once", "partial-file",
        (SERVE, SERVE.replace("file_fd", "open(path, O_RDONLY)")),
    ),
    server(
        "ended-by-a-shorter-file", "a file that shrinks ends the server",
        "outlives_a_file_that_shrinks", "partial-file",
        *ALONE, ("has become shorter\\n\", program, path);\n            return false;",
         "has become shorter\\n\", program, path);\n            exit(1);"),
    ),
    server(
        "gives-up-a-longer-file", "a file that grows is not sent",
        "outlives_a_file_that_grows", "partial-file",
        ("        if (n == 0) {", "        off_t before = status.st_size;\n"
         "        fstat(file_fd, &status);\n        if (n == 0 || status.st_size > before) {"),
    ),
    server(
        "sends-no-empty-file", "a file of 0 bytes is refused", "sends_the_file[empty]",
        "ended-early",
        ("    if (!S_ISREG(status.st_mode)) {", "    if (status.st_size == 0) {"),
    ),
    # Its end of the connection
    server(
        "waits-for-the-clients-fin", "the client has to close first", "closes_first",
        "first-closer",
        (CLOSE, "    for (char c[100]; read(conn_fd, c, sizeof c) > 0; )\n        ;\n"
                "    close(conn_fd);"),
    ),
    server(
        "resets", "`SO_LINGER` 0 (RST)", "closes_first", "linger-rst",
        (CLOSE, "    close_with_reset(conn_fd);"),
    ),
    server(
        "closes-with-input-unread", "closed with input unread (RST)", "takes_what_a_client_says",
        "unread-input-rst",
        (CLOSE, "    close(conn_fd);"),
    ),
    server(
        "takes-a-fin-for-the-end", "closes both directions too early",
        "sends_all_after_the_clients_fin", "closes-both",
        (SEND, "    if (recv(conn_fd, &(char){ 0 }, 1, MSG_DONTWAIT) == 0)\n"
               "        return false;\n" + SEND),
    ),
    server(
        "closes-no-descriptor", "descriptor never closed (leak)", "keeps_nothing_of_its_clients",
        "descriptor-leak",
        *ALONE, (CLOSE, "    shutdown(conn_fd, SHUT_WR);"),
    ),
    server(
        "never-closes", "descriptor never closed (no FIN)", "keeps_nothing_of_its_clients",
        "descriptor-leak",
        *ALONE, (CLOSE, "    (void)PATIENCE;"),
    ),
    server(
        "buries-no-children", "zombie children", "keeps_nothing_of_its_clients",
        "zombie-children",
        *ALONE, forks(),
    ),
    server(
        "leaves-its-children", "left-over child", "ends_while_it_sends", "left-over-process",
        forks("signal(SIGTERM, SIG_IGN);"), ("#include <errno.h>", "#include <errno.h>\n"
                                             "#include <signal.h>"),
    ),
    server(
        "killed-by-sigpipe", "killed by SIGPIPE",
        "outlives_a_client_that_breaks_off[fin-and-reset]", "sigpipe",
        *ALONE, ("    ignore_sigpipe();\n", ""),
    ),
    server(
        "ended-by-a-reset", "ended by a client's reset",
        "outlives_a_client_that_breaks_off[reset]", "reset-ends-server",
        *ALONE, ('            complain("sendfile");\n            return false;',
         '            die("sendfile");'),
    ),
    server(
        "no-reuseaddr", "no `SO_REUSEADDR`", "can_be_started_again_at_once", "no-reuseaddr",
        ("SO_REUSEADDR, &yes", "SO_KEEPALIVE, &yes"), file="net.c",
    ),
    server(
        "reuseport", "`SO_REUSEPORT` in place of `SO_REUSEADDR`", "can_be_started_again_at_once",
        "address-in-use",
        ("SO_REUSEADDR, &yes", "SO_REUSEPORT, &yes"), file="net.c",
    ),
    server(
        "ended-by-a-signal", "wrong exit status", "ends_by_a_signal[SIGTERM]", "exit-status",
        ("    watch_children();\n", ""),
    ),
    server(
        "ends-with-status-1", "wrong exit status", "ends_by_a_signal[SIGINT]", "exit-status",
        ("    _exit(0);\n}\n\nvoid watch", "    _exit(1);\n}\n\nvoid watch"), file="children.c",
    ),
]

CLIENTS = [
    # The command line, connecting
    client(
        "takes-two-hosts", "a surplus word is no usage error", "explains_wrong_arguments", "usage",
        ("    if (optind < argc)\n        usage();", ""),
    ),
    client(
        "takes-port-80x", "a port that is none", "explains_wrong_arguments", "usage",
        ("option == 'p' && is_port(optarg)", "option == 'p' && atoi(optarg) > 0"),
    ),
    client(
        "at-port-6667", "another port than the table's", "connects_where_it_is_told[default]",
        "wrong-port",
        ('*port = "6666"', '*port = "6667"'),
    ),
    client(
        "swaps-its-port", "a port not in network byte order",
        "connects_where_it_is_told[default]", "byte-order",
        ("return connect(fd,", "((struct sockaddr_in *)ai->ai_addr)->sin_port = "
         "atoi(\"6666\");\n    return connect(fd,"), file="net.c",
    ),
    client(
        "dotted-addresses-only", "only dotted addresses understood",
        "connects_where_it_is_told[name-and-port]", "dotted-only",
        ("AI_NUMERICSERV | flags", "AI_NUMERICSERV | AI_NUMERICHOST | flags"), file="net.c",
    ),
    client(
        "first-address-only", "only the first address of a name is tried",
        "connects_where_it_is_told[name-and-port]", "first-address-only",
        ("ai != NULL && fd < 0; ai = ai->ai_next", "ai != NULL && fd < 0; ai = NULL"),
        file="net.c",
    ),
    client(
        "no-ipv6", "no IPv6", "connects_where_it_is_told[ipv6]", "no-ipv6",
        ("AF_UNSPEC,", "AF_INET,"), file="net.c",
    ),
    client(
        "succeeds-without-a-server", "wrong exit status", "says_that_nobody_listens",
        "exit-status",
        ("        exit(1);\n    }\n    return fd;", "        exit(0);\n    }\n    return fd;"),
        file="net.c",
    ),
    client(
        "succeeds-without-a-host", "wrong exit status", "says_that_a_name_is_unknown",
        "lookup-error",
        ("        exit(1);\n    }\n    return list;", "        exit(0);\n    }\n    return list;"),
        file="net.c",
    ),
    # The name line
    client(
        "loses-what-came-with-the-line", "the file begins behind the segment of the line",
        "saves_under_the_name_it_is_told", "name-line",
        ("input->len -= (size_t)(input->next - name);", "input->len = 0;"),
    ),
    client(
        "skips-empty-lines", "newlines at the file's beginning are lost",
        "saves_under_the_name_it_is_told", "name-line",
        ("input->next = end + 1;", "while (*++end == '\\n')\n        ;\n    input->next = end;"),
        ("if (strlen(name) != (size_t)(end - name))", "if (false)"),
    ),
    client(
        "keeps-the-newline", "the newline is taken for a part of the name",
        "saves_under_the_name_it_is_told", "name-line",
        ("    *end = '\\0';", "    end[1] = '\\0';\n    end++;"),
    ),
    client(
        "tells-of-its-success", "something on stdout", "saves_under_the_name_it_is_told",
        "messages",
        ("    receive_file(conn_fd, &input, &saving);", "    receive_file(conn_fd, &input, "
         "&saving);\n    printf(\"%s saved\\n\", local);"),
    ),
    client(
        "one-read-for-the-line", "one read, no loop", "takes_the_line_in_pieces", "single-read",
        ("    while (end == NULL && input->len <= NAME_MAX) {",
         "    for (int once = 0; once < 1; once++) {"),
    ),
    client(
        "asks-again-and-again", "busy waiting", "waits_for_its_server", "busy-wait",
        (READ, "        n = recv(fd, buffer, size, MSG_DONTWAIT);"),
        (AGAIN, "    while (n < 0 && (errno == EINTR || errno == EAGAIN));\n    return n;"),
        file="net.c",
    ),
    client(
        "waits-a-second-for-its-server", "gives up a peer that is silent", "waits_for_its_server",
        "own-timeout",
        (READ, "        n = poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 1000) == 0\n"
               "            ? -1 : read(fd, buffer, size);"), file="net.c",
    ),
    client(
        "ended-by-an-interrupted-call", "`EINTR` taken for an error", "waits_for_its_server",
        "eintr",
        ("    ssize_t n;\n\n    do\n        n = read(", "    ssize_t n;\n"
         "    struct timeval minute = { 60, 0 };\n"
         "    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &minute, sizeof minute);\n"
         "    do\n        n = read("),
        (AGAIN, "    while (false);\n    return n;"),
        file="net.c",
    ),
    client(
        "words-for-names", "a name ends at a space", "takes_any_name", "name-line",
        ("    name = input->buffer;", "    name = input->buffer + (*input->buffer == ' ');"),
        ("if (strlen(name) != (size_t)(end - name))", "if (false)"),
    ),
    client(
        "name-as-a-format", "input from the network is a format string", "takes_any_name",
        "format-string",
        ("        local = name;", "        asprintf((char **)&local, name, \"\", &(int){ 0 });"),
    ),
    client(
        "short-names-only", "a long name is refused", "takes_any_name", "name-line",
        ("end - input->buffer > NAME_MAX", "end - input->buffer > 100"),
    ),
    client(
        "does-not-ask-the-user", "-o is ignored", "saves_under_the_name_the_user_tells",
        "name-line",
        ("    if (local == NULL)\n        local = name;", "    local = name;"),
    ),
    client(
        "takes-paths", "path traversal", "leaves_its_folder_for_no_name[in-a-folder]",
        "path-traversal",
        ("local == NULL && !is_base_name(name)", "false"),
    ),
    client(
        "looks-for-two-dots", "path traversal",
        "leaves_its_folder_for_no_name[absolute]", "path-traversal",
        ("!is_base_name(name)", 'strstr(name, "..")'),
    ),
    client(
        "looks-for-a-slash-in-front", "path traversal",
        "leaves_its_folder_for_no_name[up-and-down]", "path-traversal",
        ("!is_base_name(name)", "*name == '/'"),
    ),
    client(
        "looks-at-the-beginning", "path traversal",
        "leaves_its_folder_for_no_name[roundabout]", "path-traversal",
        ("!is_base_name(name)", "(*name == '/' || strncmp(name, \"..\", 2) == 0)"),
    ),
    client(
        "names-the-nameless", "an empty line is taken for a name",
        "refuses_what_is_no_name[empty]", "name-line",
        ("!is_base_name(name))", "*name != '\\0' && !is_base_name(name))"),
        ("        local = name;", "        local = *name ? name : \"unnamed\";"),
    ),
    client(
        "needs-no-line", "the end of file is taken for the line's end",
        "refuses_what_is_no_name[no-end]", "name-line",
        ('            refuse("has no end");', "            input->buffer[input->len++] = '\\n';"),
    ),
    client(
        "succeeds-without-a-line", "a server that says nothing is no error",
        "refuses_what_is_no_name[no-line]", "name-line",
        ('            refuse("has no end");', "            exit(0);"),
    ),
    client(
        "cuts-names", "a line that is too long is cut", "refuses_what_is_no_name[too-long]",
        "name-line",
        ("input->len <= NAME_MAX", "true"),
        ("if (end == NULL || end - input->buffer > NAME_MAX)", "input->buffer[255] = '\\0';\n"
         "    if (false)"),
        ("if (strlen(name) != (size_t)(end - name))", "if (false)"),
    ),
    client(
        "cuts-endless-names", "a line is kept without a bound", "reads_no_line_without_end",
        "unbounded",
        ('        refuse("is too long for a name");', "        end = input->buffer + 255;"),
    ),
    client(
        "refuses-hidden-names", "a name that begins with a dot taken for none",
        "takes_any_name", "name-line",
        ("if (local == NULL && !is_base_name(name))",
         "if (local == NULL && (!is_base_name(name) || name[0] == '.'))"),
    ),
    client(
        "strips-cr-off-the-name", "a line's end taken for CR LF", "takes_any_name", "name-line",
        ("    *end = '\\0';\n", "    *end = '\\0';\n"
         "    if (end > input->buffer && end[-1] == '\\r')\n        end[-1] = '\\0';\n"),
        ("    if (strlen(name) != (size_t)(end - name))", "    if (false)"),
    ),
    client(
        "says-nothing-of-a-folder", "wrong exit status: what rename() returns is passed over",
        "says_that_a_folder_has_the_name", "exit-status",
        ("    return S_ISREG(status.st_mode)\n        && ", "    return true\n        || "),
        ("    bool done = close(fd) == 0\n        && (", "    bool done = close(fd) == 0;\n    ("),
        ("linkat(folder, old, folder, new, 0)) == 0;", "linkat(folder, old, folder, new, 0));\n"
         "    unlinkat(folder, old, 0);"),
        file="files.c",
    ),
    # The file
    client(
        "one-read", "one read, no loop", "saves_the_file[a-block]", "partial-file",
        ("        if (n == 0)\n            break;\n    }", "        break;\n    }"),
    ),
    client(
        "saves-no-empty-file", "a file of 0 bytes is not there", "saves_the_file[empty]",
        "partial-file",
        ("    if (!finish_saving(", "    if (lseek(saving->fd, 0, SEEK_CUR) == 0)\n"
         "        give_up_saving(saving);\n    else if (!finish_saving("),
    ),
    client(
        "saves-half-a-megabyte", "what is above a fixed size is lost", "saves_a_big_file",
        "partial-file",
        (SAVE, "lseek(saving->fd, 0, SEEK_CUR) < 500000 && " + SAVE),
    ),
    client(
        "loses-a-byte-of-each-buffer", "byte differences at block borders",
        "saves_the_file[a-block]", "block-border",
        (SAVE, "!save(saving, from, (size_t)n - (n > 4000))"),
        ("    char buffer[65536];", "    char buffer[4096];"),
    ),
    client(
        "saves-lines", "text-mode translation", "saves_the_file[a-block]", "text-mode",
        ("        if (!save(", "        ssize_t kept = 0;\n"
         "        for (ssize_t i = 0; i < n; i++)\n"
         "            if (from[i] != '\\r')\n                from[kept++] = from[i];\n"
         "        n = kept;\n        if (!save("),
    ),
    client(
        "saves-a-string", "data handled as a C string (cut at NUL)", "saves_the_file[a-block]",
        "c-string",
        (SAVE, "!save(saving, from, strnlen(from, (size_t)n))"),
    ),
    client(
        "saves-its-whole-buffer", "a fixed length saved instead of the bytes read",
        "saves_the_file[a-byte]", "fixed-length",
        (SAVE, "!save(saving, from, 4096)"),
    ),
    client(
        "closes-first", "the wrong side closes first", "saves_the_file[a-byte]", "first-closer",
        ("    const char *name = receive_name(", "    shutdown(conn_fd, SHUT_WR);\n"
         "    const char *name = receive_name("),
    ),
    client(
        "takes-a-short-read-for-the-end", "a read of less than was asked for is no end of file",
        "takes_the_line_in_pieces", "single-read",
        ("        if (n == 0)\n            break;",
         "        if (n < (ssize_t)sizeof input->buffer) {\n"
         "            save(saving, input->buffer, (size_t)n);\n            break;\n        }"),
    ),
    client(
        "writes-over-the-old-file", "the rest of an old file stays", "replaces_an_old_file",
        "partial-file",
        ("O_WRONLY | O_CREAT | O_EXCL, 0666);", "O_WRONLY | O_CREAT, 0666);"),
        ("    return fd;\n}\n\n/* Begins", "    unlinkat(saving->folder, saving->temporary, 0);\n"
         "    strcpy(saving->temporary, saving->name);\n"
         "    return openat(saving->folder, saving->name, O_WRONLY | O_CREAT, 0666);\n}\n\n"
         "/* Begins"),
        file="files.c",
    ),
    client(
        "takes-a-reset-for-the-end", "cut files kept as whole", "keeps_no_cut_file[some]",
        "cut-file-kept",
        ("        if (n < 0) {", "        if (n < 0)\n            n = 0;\n        if (n < 0) {"),
    ),
    client(
        "keeps-what-came", "cut files kept as whole", "keeps_no_cut_file[some]", "cut-file-kept",
        (f'{GIVE_UP}            die("recv");',
         '            finish_saving(saving, true);\n            die("recv");'),
    ),
    client(
        "leaves-its-temporary-file", "a temporary file stays", "keeps_no_cut_file[no-byte]",
        "left-over-file",
        (f'{GIVE_UP}            die("recv");', '            die("recv");'),
    ),
    client(
        "ignores-what-write-returns", "a full disk is not told", "says_that_the_disk_is_full",
        "disk-full",
        (SAVE, SAVE.replace("!save", "save") + " < 0"),
    ),
    client(
        "keeps-what-fits", "cut files kept as whole", "says_that_the_disk_is_full",
        "cut-file-kept",
        (f"{GIVE_UP}            die(name);",
         "            finish_saving(saving, true);\n            die(name);"),
    ),
    client(
        "succeeds-without-a-file", "wrong exit status", "says_that_it_cannot_write", "disk-full",
        ("        die(local);", "        return 0;"),
    ),
    client(
        "gives-up-soon", "a timeout of its own where TCP has one",
        "pair_sends_over_a_bad_network[no-fin]", "own-timeout",
        (READ, "        n = poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 100) == 0\n"
               "            ? -1 : read(fd, buffer, size);"), file="net.c",
    ),
]

KNOWN_WRONG = [*SERVERS, *CLIENTS]

KNOWN_WRONG += [
    KnownWrong("send_client-udp", "UDP where TCP is asked", "send_client",
               (("look_up(host, port, SOCK_STREAM, 0)", "look_up(host, port, SOCK_DGRAM, 0)"),),
               "test_send_client_connects_where_it_is_told[default]", "udp-not-tcp",
               file="net.c"),
]
