"""Lab 04: `server`, the FTP server, made wrong, in its own file or in a module."""

from __future__ import annotations

from known_wrong import KnownWrong

LAB = "04-file-transfer"
NET, CHILDREN, SESSION, LINES, PATHS = "net.c", "children.c", "session.c", "lines.c", "paths.c"
DATA, TRANSFER = "data.c", "transfer.c"


def server(
    name: str, fault: str, killed_by: str, cause: str, *edits: tuple[str, str], file: str = "",
    base: str = "",
) -> KnownWrong:
    """A wrong server; names are completed with what all of them begin with."""
    return KnownWrong(f"server-{name}", fault, "server", edits, f"test_server_{killed_by}", cause,
                      base, file)


BEFORE_BIND = "    return bind(fd, ai->ai_addr, ai->ai_addrlen);"
SERVE = "            serve_client(conn_fd, served);\n"
FORKED = "        if (child < 0)\n            turn_away(conn_fd);\n"
FORK = "        pid_t child = fork_child(&peer_addr, &place);"
FULL = "    if (*place < MOST_CHILDREN && count_of(client) < MOST_OF_A_HOST)"
TERMINATE = "            kill(children[i], SIGTERM);"

START = [
    server(
        "port-in-host-byte-order", "a port not in network byte order",
        "serves_the_current_folder", "byte-order",
        (BEFORE_BIND, "    struct sockaddr_in *in = (void *)ai->ai_addr;\n"
                      "    in->sin_port = ntohs(in->sin_port);\n" + BEFORE_BIND),
        file=NET,
    ),
    server(
        "ignores-p", "another port than asked", "is_where_it_is_told", "wrong-port",
        ("            port = optarg;", "            port = \"2121\";"),
    ),
    server(
        "open-to-the-network", "listens on 0.0.0.0 when it is not told where",
        "serves_the_current_folder", "wrong-address",
        ('*address = "127.0.0.1"', '*address = "0.0.0.0"'),
    ),
    server(
        "udp", "UDP where TCP is asked", "serves_the_current_folder", "udp-not-tcp",
        ("look_up(address, port, SOCK_STREAM, AI_PASSIVE)",
         "look_up(address, port, SOCK_DGRAM, AI_PASSIVE)"),
        ("    if (listen(listen_fd, SOMAXCONN) < 0)", "    if (pause() < 0)"),
        file=NET,
    ),
    server(
        "dotted-addresses-only", "only dotted addresses understood",
        "is_where_it_is_told", "dotted-only",
        ("AI_NUMERICSERV | flags", "AI_NUMERICSERV | AI_NUMERICHOST | flags"), file=NET,
    ),
    server(
        "no-ipv6", "no IPv6", "serves_ipv6", "no-ipv6",
        ("AF_UNSPEC,   /*", "AF_INET,   /*"), file=NET,
    ),
    server(
        "no-reuseaddr", "no `SO_REUSEADDR`", "can_be_started_again_at_once", "no-reuseaddr",
        ("SOL_SOCKET, SO_REUSEADDR,", "SOL_SOCKET, SO_KEEPALIVE,"), file=NET,
    ),
    server(
        "reuseport", "`SO_REUSEPORT` in place of `SO_REUSEADDR`",
        "can_be_started_again_at_once", "address-in-use",
        ("SOL_SOCKET, SO_REUSEADDR,", "SOL_SOCKET, SO_REUSEPORT,"), file=NET,
    ),
    server(
        "password-ends-at-a-colon", "the password is cut at its first colon",
        "checks_the_whole_password", "no-login",
        ("    char *colon = strchr(text, ':');\n",
         "    char *colon = strchr(text, ':');\n"
         "    if (colon != NULL && strchr(colon + 1, ':') != NULL)\n"
         "        *strchr(colon + 1, ':') = '\\0';\n"),
    ),
    server(
        "any-text-for-a-port", "wrong exit status", "explains_wrong_arguments", "usage",
        ("option == 'p' && is_port(optarg)", "option == 'p'"),
    ),
    server(
        "takes-a-surplus-word", "a surplus word is no usage error",
        "explains_wrong_arguments", "usage",
        ("    if (optind < argc)\n        usage();\n", ""),
    ),
    server(
        "unknown-name-is-a-usage-error", "wrong exit status", "says_why_it_cannot_begin",
        "lookup-error",
        ("gai_strerror(error));\n        exit(1);", "gai_strerror(error));\n        exit(2);"),
        file=NET,
    ),
    server(
        "taken-port-is-a-success", "wrong exit status", "says_why_it_cannot_begin",
        "address-in-use",
        ("strerror(why));\n        exit(1);", "strerror(why));\n        exit(0);"), file=NET,
    ),
    server(
        "no-word-of-a-missing-folder", "wrong exit status", "says_why_it_cannot_begin",
        "no-error-told",
        ("    if (served.folder < 0)\n        die(folder);\n", ""),
    ),
    server(
        "start-line-differs", "the start line is not the table's", "serves_the_current_folder",
        "messages",
        ('"listening on %s port %s', '"Listening on %s:%s'), file=NET,
    ),
    server(
        "stdout-not-flushed", "stdout not flushed", "serves_the_current_folder",
        "stdout-not-flushed",
        ("fflush(stdout) == EOF", "false"),
        file=NET,
    ),
    server(
        "always-the-current-folder", "-d is not obeyed", "never_leaves_its_folder",
        "path-traversal",
        ("            folder = optarg;", "            folder = \"/files\";"),
    ),
    server(
        "begins-at-the-root", "without -d not the current folder", "serves_the_current_folder",
        "reply-code",
        ('*folder = "."', '*folder = "/"'),
    ),
    server(
        "ends-with-status-1", "wrong exit status", "ends_by_a_signal[SIGTERM]", "exit-status",
        ("    _exit(0);\n}\n\nvoid watch", "    _exit(1);\n}\n\nvoid watch"), file=CHILDREN,
    ),
    server(
        "deaf-to-sigint", "SIGINT does not end it", "ends_by_a_signal[SIGINT]", "slow-end",
        ("sigaction(SIGINT, &action, NULL) < 0", "signal(SIGINT, SIG_IGN) == SIG_ERR"),
        file=CHILDREN,
    ),
    server(
        "leaves-its-children", "left-over child", "ends_whatever_its_clients_do",
        "left-over-process",
        (TERMINATE, "            children[i] = 0;"),
        ("    while (wait(NULL) > 0)\n        ;\n", ""),
        ("    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)\n", "    if (setsid() < 0)\n"),
        file=CHILDREN,
    ),
    server(
        "keeps-what-it-has-when-it-is-ended", "cut files kept as whole",
        "keeps_no_part_as_the_file_when_it_ends", "cut-file-kept",
        ("        unlinkat(current->folder, current->temporary, 0);\n    _exit",
         "        renameat(current->folder, current->temporary, current->folder,\n"
         "                 current->name);\n    _exit"), file="files.c",
    ),
]

ENDED = "        if (n == 0)\n            errno = 0;"
"""The client has ended its connection, or with n < 0 it has reset it."""

CLIENTS = [
    server(
        "one-client-after-the-other", "an idle client blocks the others",
        "serves_others_while_a_client_is_silent", "idle-client-blocks",
        (FORK, "        pid_t child = 0;"), ("            _exit(0);\n", "            continue;\n"),
        ("            close(listen_fd);\n", ""),
    ),
    server(
        "ends-after-one-client", "only one client ever served",
        "keeps_nothing_of_clients_that_have_gone", "one-client-only",
        (FORKED, "        wait(NULL);\n        exit(0);\n" + FORKED),
        ("#include <stdio.h>\n", "#include <stdio.h>\n#include <sys/wait.h>\n"),
    ),
    server(
        "zombies", "zombie children", "keeps_nothing_of_clients_that_have_gone",
        "zombie-children",
        ("    while ((child = waitpid(-1, NULL, WNOHANG)) > 0) {",
         "    while ((child = 0) != 0) {"),
        file=CHILDREN,
    ),
    server(
        "reaps-one-for-each-signal", "zombie children: SIGCHLD comes once for several",
        "serves_a_hundred_clients_at_once", "zombie-children",
        ("    while ((child = waitpid(-1, NULL, WNOHANG)) > 0) {",
         "    if ((child = waitpid(-1, NULL, WNOHANG)) > 0) {"),
        file=CHILDREN,
    ),
    server(
        "keeps-its-copy-of-the-connection", "the parent holds each connection open",
        "keeps_nothing_of_clients_that_have_gone", "descriptor-leak",
        ("        if (close(conn_fd) < 0)", "        if (child < 0 && close(conn_fd) < 0)"),
    ),
    server(
        "twenty-clients", "a fixed table of clients", "serves_a_hundred_clients_at_once",
        "too-few-clients",
        (FULL, "    if (*place < 20)"), file=CHILDREN,
    ),
    server(
        "ends-when-it-is-full", "one client too many ends it",
        "outlives_more_clients_than_it_can_serve", "out-of-descriptors",
        (FULL, FULL + "\n        ;\n    else\n        die(\"full\");\n" + FULL), file=CHILDREN,
    ),
    server(
        "takes-an-interruption-for-an-error", "`EINTR` taken for an error",
        "keeps_nothing_of_clients_that_have_gone", "eintr",
        ("        if (errno != EINTR && errno != ECONNABORTED) {",
         "        if (errno == EINTR)\n            die(\"accept\");\n"
         "        if (errno != ECONNABORTED) {"),
        file=NET,
    ),
    server(
        "polls-for-a-data-connection", "busy waiting", "serves_others_while_a_client_is_silent",
        "busy-wait",
        ("poll(wanted, 2, (int)left) > 0", "poll(wanted, 2, 0) > 0"), file=DATA,
    ),
    server(
        "waits-a-second-for-a-command", "gives up a peer that is silent",
        "serves_others_while_a_client_is_silent", "own-timeout",
        ("SILENCE = 300,", "SILENCE = 1,"), file=SESSION,
    ),
    server(
        "sleeps-a-little-and-looks-again", "busy waiting",
        "serves_others_while_a_client_is_silent", "busy-wait",
        ("        ssize_t n = read_some(lines->fd, lines->input, sizeof lines->input);",
         "        ssize_t n;\n"
         "        while ((n = recv(lines->fd, lines->input, sizeof lines->input,\n"
         "                         MSG_DONTWAIT)) < 0 && errno == EAGAIN)\n"
         "            usleep(10000);"),
        ("#include <errno.h>\n", "#include <errno.h>\n#include <unistd.h>\n"),
        file=LINES,
    ),
    server(
        "stays-after-its-client", "a process stays for each client that did not say QUIT",
        "keeps_nothing_of_clients_that_have_gone", "descriptor-leak",
        (ENDED, "        if (n == 0)\n            pause();\n" + ENDED),
        ("#include <errno.h>\n", "#include <errno.h>\n#include <unistd.h>\n"), file=LINES,
    ),
    server(
        "stays-after-a-reset", "a process stays for each client that reset",
        "outlives_resets", "zombie-children",
        (ENDED, "        if (n < 0)\n            pause();\n" + ENDED),
        ("#include <errno.h>\n", "#include <errno.h>\n#include <unistd.h>\n"), file=LINES,
    ),
    server(
        "ends-with-a-reset-client", "ended by a client's reset", "outlives_resets",
        "reset-ends-server",
        (ENDED, "        if (n < 0)\n            kill(getppid(), SIGKILL);\n" + ENDED),
        ("#include <errno.h>\n",
         "#include <errno.h>\n#include <signal.h>\n#include <unistd.h>\n"), file=LINES,
    ),
    server(
        "one-folder-for-all", "the current folder is one for all clients",
        "keeps_each_clients_folder", "shared-folder",
        ("bool path_of(", "static char *shared;\n\n"
         "__attribute__((constructor)) static void share(void)\n{\n"
         "    shared = mmap(NULL, PATH_MAX, PROT_READ | PROT_WRITE,\n"
         "                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);\n}\n\nbool path_of("),
        ("strcpy(path, session->folder)", "strcpy(path, shared)"),
        ("    strcpy(session->folder, path);", "    strcpy(shared, path);"),
        ("#include <errno.h>\n", "#include <errno.h>\n#include <sys/mman.h>\n"),
        file=PATHS,
    ),
]

TAKE = "    while ((c = next_char(lines)) != '\\n') {"
KEEP = "        if (fits)\n            line[len++] = (char)c;"
SAME = "    bool same = given_len == len;"
KNOWN = "    if (session->right_name && (right == NULL || is_same(password, right))) {"
COMMANDS = "    { \"USER\", do_user,"


def not_enforced(*names: str) -> KnownWrong:
    """The login is not asked for by these commands."""
    return server(
        f"no-login-for-{names[0].lower()}", "login not enforced", "needs_a_login", "no-login",
        ("command->needs_login && !session->logged_in",
         "command->needs_login && !session->logged_in"
         + "".join(f"\n             && strcmp(command->name, \"{name}\") != 0" for name in names)),
        file=SESSION)


def wrong_code(
    name: str, right: str, wrong: str, killed_by: str, file: str = SESSION,
    cause: str = "reply-code",
) -> KnownWrong:
    """A reply with another code: WRONG in place of RIGHT, text of the source."""
    return server(f"code-{name}", "wrong reply codes", killed_by, cause, (right, wrong), file=file)


SESSIONS = [
    server(
        "one-read-is-one-command", "one read, no loop",
        "takes_commands_however_they_come", "single-read",
        (TAKE, "    ssize_t n = read_some(lines->fd, line, LINE_SIZE - 1);\n"
               "    if (n <= 0)\n        return false;\n"
               "    while (len < (size_t)n && line[len] != '\\n')\n        len++;\n"
               "    while (false) {\n        c = 0;"),
        file=LINES,
    ),
    server(
        "forgets-what-came-with-a-command", "bytes behind the first line are thrown away",
        "takes_commands_however_they_come", "single-read",
        (TAKE, "    lines->next = lines->end;\n" + TAKE), file=LINES,
    ),
    server(
        "knows-capital-letters-only", "command names are taken as they are",
        "takes_commands_however_they_come", "reply-code",
        ("strcasecmp(line, command->name) != 0", "strcmp(line, command->name) != 0"),
        file=SESSION,
    ),
    server(
        "lf-alone", "lines of replies end with LF", "serves_the_current_folder", "reply-lines",
        ('    strcat(line, "\\r\\n");', '    strcat(line, "\\n");'), file=SESSION,
    ),
    server(
        "keeps-endless-lines", "a line without a bound", "takes_no_endless_line", "unbounded",
        (KEEP, "        static char *all;\n        static size_t size;\n"
               "        if (size % 4096 == 0)\n            all = realloc(all, size + 4096);\n"
               "        all[size++] = (char)c;\n" + KEEP),
        ("#include <errno.h>\n", "#include <errno.h>\n#include <stdlib.h>\n"), file=LINES,
    ),
    server(
        "stops-at-a-nul", "a line handled as a C string", "takes_any_byte_in_a_line", "c-string",
        ("fits && c != '\\0' && len", "fits && len"), file=LINES,
    ),
    server(
        "prints-the-clients-format", "input from the network reaches a format string",
        "takes_any_byte_in_a_line", "format-string",
        ("          \"%s: %s\", name, strerror(why));", "          name, strerror(why));"),
        file=TRANSFER,
    ),
    server(
        "no-login-for-anything", "login not enforced", "needs_a_login", "no-login",
        ("command->needs_login && !session->logged_in", "false"), file=SESSION,
    ),
    server(
        "refuses-strangers-late", "login not enforced", "answers_who_has_not_logged_in", "no-login",
        ("command->needs_login && !session->logged_in", "false"), file=SESSION,
    ),
    not_enforced("NLST", "LIST"), not_enforced("PASV", "EPSV"), not_enforced("SIZE"),
    not_enforced("CWD", "CDUP"), not_enforced("STOR"), not_enforced("PORT", "EPRT"),
    server(
        "in-with-the-name-alone", "login not enforced", "needs_a_login", "no-login",
        ("    session->logged_in = false;\n    session->named = true;",
         "    session->logged_in = true;\n    session->named = true;"), file=SESSION,
    ),
    server(
        "any-password", "login not enforced", "checks_user_and_password", "no-login",
        (KNOWN, "    if (session->right_name) {"), file=SESSION,
    ),
    server(
        "any-user", "login not enforced", "checks_user_and_password", "no-login",
        (KNOWN, "    if (right == NULL || is_same(password, right)) {"), file=SESSION,
    ),
    server(
        "the-beginning-of-the-password", "login not enforced: a prefix is enough",
        "checks_user_and_password", "no-login",
        (SAME, "    bool same = given_len <= len;"), file=SESSION,
    ),
    server(
        "more-than-the-password", "login not enforced: strncmp() with the right one's length",
        "checks_user_and_password", "no-login",
        (SAME, "    bool same = given_len >= len;"),
        ("i < given_len; i++", "i < given_len && i < len; i++"), file=SESSION,
    ),
    server(
        "password-in-any-case", "login not enforced: strcasecmp()",
        "checks_user_and_password", "no-login",
        ("    return same;", "    return same || strcasecmp(given, right) == 0;"), file=SESSION,
    ),
    server(
        "anonymous-besides-the-account", "with -u anonymous is let in, too",
        "checks_user_and_password", "no-login",
        (KNOWN, "    if (session->right_name && (right == NULL || is_same(password, right)\n"
                "                                || strchr(password, '@') != NULL)) {"),
        ("    session->right_name = user != NULL ? is_same(name, user)",
         "    session->right_name = user != NULL && name[0] != 'a' ? is_same(name, user)"),
        file=SESSION,
    ),
    server(
        "anybody-without-an-account", "without -u anybody is let in",
        "lets_anonymous_users_only_read", "no-login",
        (": strcmp(name, \"anonymous\") == 0", ": strcmp(name, \"\") != 0"), file=SESSION,
    ),
    server(
        "password-without-a-name", "login not enforced: PASS alone", "needs_a_login", "no-login",
        ("    if (!session->named) {", "    if (!session->named && session->over) {"),
        (KNOWN, "    if (!session->named || session->right_name) {"), file=SESSION,
    ),
    server(
        "still-in-while-another-logs-in", "login not enforced: the old one stays",
        "forgets_a_login_when_another_begins", "no-login",
        ("    session->logged_in = false;\n", ""), file=SESSION,
    ),
    server(
        "anonymous-writes", "anonymous may write", "lets_anonymous_users_only_read",
        "anonymous-writes",
        ("session->served->user == NULL || !path_of", "!path_of"), file=TRANSFER,
    ),
    server(
        "goes-to-any-folder", "CWD does not look whether there is such a folder",
        "goes_from_folder_to_folder", "not-a-file",
        ("    if (fd < 0) {\n        reply(session, 550, \"%s: %s\", name, strerror(errno));\n"
         "        return;\n    }\n    close(fd);\n    strcpy(",
         "    close(fd);\n    strcpy("), file=PATHS,
    ),
    server(
        "cdup-stays", "CDUP does nothing", "goes_from_folder_to_folder", "messages",
        ("    do_cwd(session, \"..\");", "    do_cwd(session, \".\");"), file=PATHS,
    ),
    server(
        "names-from-the-top", "names are always taken from the top",
        "goes_from_folder_to_folder", "reply-code",
        ("    if (name[0] != '/')\n        len =", "    if (name[0] == '\\0')\n        len ="),
        file=PATHS,
    ),
    server(
        "absolute-names-from-here", "a / in front means nothing",
        "goes_from_folder_to_folder", "reply-code",
        ("    if (name[0] != '/')\n        len =", "    if (name[0] != '\\0')\n        len ="),
        file=PATHS,
    ),
    server(
        "quotes-no-quote", "PWD does not double quotes", "quotes_the_folder_it_is_in", "messages",
        ("        if (*from == '\"')\n            *to++ = '\"';", "        if (false)\n;"),
        file=PATHS,
    ),
    server(
        "pwd-without-quotes", "PWD without quotes", "goes_from_folder_to_folder", "messages",
        ("\"\\\"%s\\\"\", quoted[0]", "\"%s\", quoted[0]"), file=PATHS,
    ),
    wrong_code("user", "331, \"Now", "230, \"Now", "needs_a_login", cause="no-login"),
    wrong_code("greeting", "220, \"Welcome", "200, \"Welcome", "serves_the_current_folder"),
    wrong_code("logged-in", "230, \"You are in", "331, \"You are in",
               "serves_the_current_folder"),
    wrong_code("wrong-password", "530, \"Wrong name", "501, \"Wrong name", "needs_a_login"),
    wrong_code("before-the-login", "530, \"Say USER", "503, \"Say USER", "needs_a_login"),
    wrong_code("unknown-command", "502, \"There", "200, \"There",
               "refuses_what_it_does_not_understand"),
    wrong_code("unknown-type", "504, \"Types", "200, \"Types",
               "refuses_what_it_does_not_understand"),
    wrong_code("unknown-mode", "? 200 : 504, \"Only mode", "? 200 : 200, \"Only mode",
               "refuses_what_it_does_not_understand"),
    wrong_code("syst", "215, \"UNIX", "200, \"UNIX", "takes_commands_however_they_come"),
    wrong_code("pwd", "257, \"\\\"", "250, \"\\\"", "goes_from_folder_to_folder",
               PATHS),
    wrong_code("cwd", "250, \"You are there", "226, \"You are there",
               "goes_from_folder_to_folder", PATHS),
    wrong_code("quit", "221, \"Goodbye", "200, \"Goodbye", "serves_the_current_folder"),
    wrong_code("pasv", "227, \"Entering", "200, \"Entering", "is_connected_to_for_data[PASV]",
               DATA),
    wrong_code("epsv", "229, \"Entering", "227, \"Entering", "is_connected_to_for_data[EPSV]",
               DATA),
    wrong_code("opening", "150, \"Opening", "200, \"Opening", "is_connected_to_for_data[PASV]",
               DATA),
    wrong_code("done", "    reply(session, outcome,",
               "    reply(session, outcome == DONE ? 200 : outcome,",
               "is_connected_to_for_data[PASV]", TRANSFER),
    wrong_code("missing-file", "? DISK_FULL : 550,", "? DISK_FULL : 226,",
               "says_that_there_is_no_such_file", TRANSFER, "no-error-told"),
    wrong_code("size", "reply(session, 213,", "reply(session, 200,",
               "sends_files_of_any_size", TRANSFER),
    server(
        "size-of-another-file", "SIZE tells something else", "sends_files_of_any_size",
        "reply-code",
        ("(long long)status.st_size);", "(long long)status.st_blocks * 512);"), file=TRANSFER,
    ),
    server(
        "stays-after-quit", "QUIT does not close", "serves_the_current_folder", "first-closer",
        ("    reply(session, 221, \"Goodbye.\");\n    session->over = true;",
         "    reply(session, 221, \"Goodbye.\");"), file=SESSION,
    ),
    server(
        "control-connection-linger-0", "`SO_LINGER` 0 (RST)", "serves_the_current_folder",
        "linger-rst",
        ("    close_first(control_fd, 10);", "    close_with_reset(control_fd);"), file=SESSION,
    ),
]

KNOWN_WRONG = START + CLIENTS + SESSIONS
