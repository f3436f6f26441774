"""Lab 04: the FTP `client` made wrong, in its own file or in one of its modules."""

from __future__ import annotations

from known_wrong import KnownWrong

LAB = "04-file-transfer"
NET, CONTROL, FETCH, FILES = "net.c", "control.c", "fetch.c", "files.c"


def client(
    name: str, fault: str, killed_by: str, cause: str, *edits: tuple[str, str], file: str = "",
) -> KnownWrong:
    """A wrong client; names are completed with what all of them begin with."""
    return KnownWrong(f"ftp_client-{name}", fault, "client", edits, f"test_{killed_by}", cause,
                      "", file)


CONNECT = "return connect(fd, ai->ai_addr, ai->ai_addrlen);"
IPV4 = "((struct sockaddr_in *)ai->ai_addr)"
END_OF_REPLY = "code_of(reply->text) != code || reply->text[3] == '-'"
HERE = "port = reply->code == 227 ? port_of_pasv(reply->text) : 0;"
DATA_CONNECT = ("        || connect(transfer->data_fd, (struct sockaddr *)&addr,\n"
                "                   addr_len(&addr)) < 0\n")
SAVE = "return save(to, data, len);"
GET = ("        enum end end = receive_all(&transfer, &saving, save_bytes);\n"
       "        whole = end_transfer(&transfer, end);\n    }\n    if (!whole) {")
WHOLE = "bool whole = end == ALL && kind(reply) == 2;"
SEND = "    while (offset < status.st_size) {"
IS_BROKEN = "(errno != EAGAIN || !wait_for_data(transfer, POLLIN))"
QUIT = "        command(control, &reply, \"QUIT\", NULL);"
NO_EXIT = "    return well ? 0 : 1;"
IS_OPENING = "if (kind(reply) == 1 || kind(reply) == 2)"
DEFAULT = "count == 3 ? words[2] : base_name(from)"


def saves(how: str) -> tuple[str, str]:
    """What came is saved as HOW says."""
    return SAVE, how


def sends(how: str) -> tuple[str, str]:
    """The file is sent as HOW says: it is open as `in`, its bytes go to `out`."""
    return SEND, (f"    FILE *in = fdopen(dup(file_fd), \"r\");\n    int out = transfer->data_fd;\n"
                  f"    {how}\n    fclose(in);\n    while (false) {{")


COMMAND_LINE = [
    client(
        "takes-port-65536", "a port that is none", "client_explains_wrong_arguments[port]",
        "usage", ("is_number(text, 65535)", "is_number(text, 65536)"), file=NET,
    ),
    client(
        "takes-port-80x", "a port that is none", "client_explains_wrong_arguments[port]", "usage",
        ("text[0] != '\\0' && text[strspn(text, \"0123456789\")] == '\\0'", "text[0] != '\\0'"),
        file=NET,
    ),
    client(
        "ignores-unknown-options", "an unknown option is no usage error",
        "client_explains_wrong_arguments[options]", "usage",
        ("            usage();\n        if (option == 'p')", "            continue;\n"
         "        if (option == 'p')"),
    ),
    client(
        "takes-any-count-of-words", "a wrong argument count is no usage error",
        "client_explains_wrong_arguments[words]", "usage",
        ("return count == 2 || count == 3;", "return count >= 2;"),
    ),
    client(
        "usage-ends-with-1", "wrong exit status", "client_explains_wrong_arguments[words]",
        "usage", ("    exit(2);", "    exit(1);"),
    ),
    client(
        "unknown-name-is-a-success", "a name that cannot be looked up is not told",
        "client_says_that_a_name_is_unknown", "lookup-error",
        ("gai_strerror(error));\n        exit(1);", "gai_strerror(error));\n        exit(0);"),
        file=NET,
    ),
    client(
        "refusal-is-a-success", "wrong exit status", "client_says_that_nobody_listens",
        "exit-status",
        ("strerror(why));\n        exit(1);", "strerror(why));\n        exit(0);"), file=NET,
    ),
    client(
        "refusal-in-other-words", "not `program: what: why`", "client_says_that_nobody_listens",
        "messages", ('"%s: %s %s port %s: %s\\n"', '"%s: cannot %s %s:%s (%s)\\n"'), file=NET,
    ),
    client(
        "ignores-p", "another port than asked", "client_connects_to_the_right_port",
        "wrong-port", ("            port = optarg;", "            port = \"2121\";"),
    ),
    client(
        "port-in-host-byte-order", "a port not in network byte order",
        "client_connects_to_the_right_port", "byte-order",
        (CONNECT, f"{IPV4}->sin_port = ntohs({IPV4}->sin_port);\n    {CONNECT}"), file=NET,
    ),
    client(
        "dotted-addresses-only", "only dotted addresses understood",
        "client_tries_every_address_of_a_name[ipv4]", "dotted-only",
        ("AI_NUMERICSERV | flags", "AI_NUMERICSERV | AI_NUMERICHOST | flags"), file=NET,
    ),
    client(
        "first-address-only", "a name's other addresses not tried",
        "client_tries_every_address_of_a_name[ipv4]", "first-address-only",
        ("ai != NULL && fd < 0; ai = ai->ai_next", "ai != NULL && fd < 0; ai = NULL"), file=NET,
    ),
    client(
        "ipv4-only", "no IPv6", "client_tries_every_address_of_a_name[ipv6]", "no-ipv6",
        (".ai_family = AF_UNSPEC", ".ai_family = AF_INET"), file=NET,
    ),
]

REPLIES = [
    client(
        "reads-one-line", "a reply's further lines are taken for replies",
        "client_reads_replies_of_many_lines", "reply-lines",
        ("if (reply->text[3] == '-') {", "if (false) {"), file=CONTROL,
    ),
    client(
        "hears-the-greetings-first-line", "a greeting's further lines are taken for replies",
        "client_hears_all_of_a_greeting", "reply-lines",
        ("if (reply->text[3] == '-') {", "if (false) {"), file=CONTROL,
    ),
    client(
        "ends-a-reply-at-any-code", "a reply of many lines ends at another code",
        "client_reads_replies_of_many_lines", "reply-lines",
        (END_OF_REPLY, "code_of(reply->text) == 0 || reply->text[3] == '-'"), file=CONTROL,
    ),
    client(
        "ends-a-reply-without-a-dash", "a reply of many lines ends at a line of text",
        "client_reads_replies_of_many_lines", "reply-lines",
        (END_OF_REPLY, "reply->text[3] == '-'"), file=CONTROL,
    ),
    client(
        "ends-a-reply-within-its-text", "a reply of many lines ends at its code within the text",
        "client_reads_replies_of_many_lines", "reply-lines",
        (END_OF_REPLY, "atoi(reply->text) != code || reply->text[3] == '-'"), file=CONTROL,
    ),
    client(
        "takes-a-segment-for-a-line", "one read, no loop", "client_reads_replies_in_pieces",
        "single-read",
        ("byte != '\\n') {", "byte != '\\n'\n           && control->next < control->len) {"),
        file=CONTROL,
    ),
    client(
        "forgets-the-next-reply", "of two replies that come together the second is lost",
        "client_reads_several_replies_at_once", "reply-lines",
        ("    reply->code = code;\n", "    reply->code = code;\n"
         "    control->next = control->len;\n"), file=CONTROL,
    ),
    client(
        "reads-1000-bytes-of-a-reply", "a long reply is an error",
        "client_reads_long_replies", "reply-lines",
        ("REPLY_BYTES = 1 << 20", "REPLY_BYTES = 1000"), file=CONTROL,
    ),
    client(
        "takes-120-for-ready", "120 is taken for the greeting",
        "client_waits_for_a_server_that_is_not_ready", "out-of-turn",
        ("    if (kind(&reply) == 2)\n        command", "    if (kind(&reply) <= 2)\n"
         "        command"),
        ("while (kind(&reply) == 1);", "while (false);"),
    ),
    client(
        "waits-a-second-for-data", "gives up a peer that is silent",
        "client_waits_without_using_the_processor", "own-timeout",
        ("SILENCE * 1000", "1000"), file=FETCH,
    ),
    client(
        "polls-without-end", "busy waiting", "client_waits_without_using_the_processor",
        "busy-wait", (IS_BROKEN, "errno != EAGAIN"), file=FETCH,
    ),
    client(
        "takes-an-interruption-for-an-error", "`EINTR` taken for an error",
        "client_goes_on_after_being_stopped", "eintr",
        ("while (n < 0 && errno == EINTR);", "while (false);"), file=NET,
    ),
    client(
        "prints-a-reply-as-a-format", "input reaches a format string",
        "client_prints_a_reply_as_it_is", "format-string",
        ("    fprintf(stderr, \"%s: %s%s%s: %s\\n\"", "    fprintf(stderr, "
         "transfer->reply.text);\n    fprintf(stderr, \"%s: %s%s%s: %.3s\\n\""), file=FETCH,
    ),
    client(
        "noise-is-a-success", "wrong exit status", "client_takes_no_noise_for_a_reply",
        "exit-status", (NO_EXIT, "    return 0;"),
    ),
]

LOGIN = [
    client(
        "says-no-user", "login left out", "client_logs_in_as_anonymous", "no-login",
        ("    if (kind(&reply) == 2)\n        command", "    if (false)\n        command"),
    ),
    client(
        "says-no-password", "login left out", "client_logs_in_as_anonymous", "no-login",
        ("if (reply.code == 331)", "if (false)"),
    ),
    client(
        "is-somebody-else", "not anonymous without -u", "client_logs_in_as_anonymous", "no-login",
        ("*user = \"anonymous\"", "*user = \"guest\""),
    ),
    client(
        "ignores-u", "-u not obeyed", "client_logs_in_as_a_user", "no-login",
        ("    *user = text;", "    (void)user;"),
    ),
    client(
        "cuts-the-password-at-a-colon", "a password cut at a colon", "client_logs_in_as_a_user",
        "no-login",
        ("*password = colon + 1;", "*password = strtok(colon + 1, \":\");"),
    ),
    client(
        "cuts-the-password", "a password cut at a blank", "client_logs_in_as_a_user", "no-login",
        ("*password = colon + 1;", "*password = strtok(colon + 1, \" \");"),
    ),
    client(
        "logs-in-with-230-only", "wrong reply codes: 202 to PASS is success",
        "client_takes_202_for_a_login", "reply-code",
        ("    if (kind(&reply) != 2)\n        fprintf", "    if (reply.code != 230)\n"
         "        reply.code = 530;\n    if (kind(&reply) != 2)\n        fprintf"),
    ),
    client(
        "wants-to-be-asked-for-a-password", "230 to USER taken for a failure",
        "client_sends_no_password_where_none_is_asked_for", "reply-code",
        ("    if (reply.code == 331)\n", "    if (reply.code != 331)\n"
         "        reply.code = 530;\n    else\n"),
    ),
    client(
        "does-not-say-why-it-is-not-let-in", "the reply to a login is not told",
        "client_says_that_it_is_not_let_in[password]", "messages",
        ("        fprintf(stderr, \"%s: login: %s\\n\", program, reply.text);", "        ;"),
    ),
    client(
        "tells-no-reply-to-a-login", "the reply to a login is not told",
        "client_says_that_it_is_not_let_in[user]", "no-error-told",
        ("\"%s: login: %s\\n\", program, reply.text);", "\"%s: login: refused\\n\", program);"),
    ),
    client(
        "refused-login-is-a-success", "wrong exit status",
        "client_says_that_it_is_not_let_in[password]", "exit-status",
        ("    well = login(&control, user, password);",
         "    if (!login(&control, user, password)) {\n        close_control(&control);\n"
         "        return 0;\n    }"),
    ),
    client(
        "goes-on-without-a-greeting", "a refusal in place of the greeting is passed over",
        "client_says_that_it_is_not_let_in[greeting]", "no-error-told",
        ("\"%s: login: %s\\n\"", "\"%s: login: %.0s?\\n\""),
    ),
    client(
        "lost-server-is-a-success", "wrong exit status",
        "client_says_that_the_server_has_gone[transfer-fin]", "exit-status",
        (NO_EXIT, "    return well || control.lost ? 0 : 1;"),
    ),
    client(
        "reset-is-a-success", "wrong exit status",
        "client_says_that_the_server_has_gone[password-reset]", "exit-status",
        (NO_EXIT, "    return well || control.lost ? 0 : 1;"),
    ),
    client(
        "waits-for-a-server-that-has-gone", "does not end at the server's end of file",
        "client_says_that_the_server_has_gone[user-fin]", "slow-end",
        ("        if (n <= 0) {", "        if (n == 0)\n            pause();\n"
         "        if (n <= 0) {"), file=CONTROL,
    ),
]

DATA_CONNECTION = [
    client(
        "ends-after-one-transfer", "control connection closed after one transfer",
        "client_has_a_data_connection_for_each_transfer", "control-closed",
        ("        outcome = run_line(control, line, (size_t)n);",
         "        outcome = run_line(control, line, (size_t)n);\n        if (n > 1)\n"
         "            break;"),
    ),
    client(
        "knows-epsv-only", "no fall back to PASV", "client_falls_back_to_pasv[500]",
        "data-connection",
        ("control->only_pasv = kind(reply) == 5;", "control->only_pasv = false;"), file=FETCH,
    ),
    client(
        "falls-back-after-500-only", "wrong reply codes: 5xx is a refusal",
        "client_falls_back_to_pasv[522]", "data-connection",
        ("control->only_pasv = kind(reply) == 5;", "control->only_pasv = reply->code == 500;"),
        file=FETCH,
    ),
    client(
        "swaps-the-bytes-of-a-port", "a port not in network byte order",
        "client_finds_any_port[PASV]", "byte-order",
        ("n[4] * 256 + n[5]", "n[5] * 256 + n[4]"), file=FETCH,
    ),
    client(
        "takes-a-byte-for-signed", "a port over 32767 taken for negative",
        "client_finds_any_port[PASV]", "transfer-port",
        ("n[4] < 256", "n[4] < 128"), file=FETCH,
    ),
    client(
        "reads-four-digits", "a port over 9999 taken for none",
        "client_finds_any_port[EPSV]", "transfer-port", ("[^0-9]%5u%c", "[^0-9]%4u%c"),
        file=FETCH,
    ),
    client(
        "takes-a-port-for-signed", "a port over 32767 taken for negative",
        "client_finds_any_port[EPSV]", "transfer-port", ("port <= 65535)", "port <= 32767)"),
        file=FETCH,
    ),
    client(
        "wants-brackets", "the numbers of 227 only found in brackets",
        "client_finds_the_numbers_in_the_reply_to_pasv[no-brackets]", "transfer-port",
        ("strcspn(text + 3, \"0123456789\")", "strcspn(text + 3, \"(\") + 1"), file=FETCH,
    ),
    client(
        "wants-the-usual-words", "the numbers of 227 only found behind the usual words",
        "client_finds_the_numbers_in_the_reply_to_pasv[bare]", "transfer-port",
        ("strcspn(text + 3, \"0123456789\")", "sizeof \" Entering Passive Mode\" + 1"),
        file=FETCH,
    ),
    client(
        "knows-pasv-only", "no IPv6", "client_transfers_over_ipv6", "no-ipv6",
        ("    if (!control->only_pasv) {", "    if (false) {"),
        ("    if (control->only_pasv) {", "    if (true) {"), file=FETCH,
    ),
    client(
        "connects-after-150", "the data connection is made only after the reply",
        "client_connects_before_the_reply_to_its_command", "data-connection",
        ("/* Opens a data connection. Returns", "static struct sockaddr_storage later;\n"
         "/* Opens a data connection. Returns"),
        (DATA_CONNECT, "        || (later = addr).ss_family == 0\n"),
        ("        if (kind(reply) == 1 || kind(reply) == 2)\n            return true;",
         "        if (kind(reply) == 1) {\n            connect(transfer->data_fd,\n"
         "                    (struct sockaddr *)&later, addr_len(&later));\n"
         "            return true;\n        }"), file=FETCH,
    ),
    client(
        "waits-for-a-port-to-open", "a failed connect() ends in a wait for ever",
        "client_says_that_there_is_no_data_connection[closed-port]", "data-connection",
        ("addr_len(&addr)) < 0", "addr_len(&addr)) < 0 && pause()"), file=FETCH,
    ),
    client(
        "no-data-connection-is-a-success", "wrong exit status",
        "client_says_that_there_is_no_data_connection[refused]", "exit-status",
        (NO_EXIT, "    return 0;"),
    ),
    client(
        "half-closes-the-data-connection", "the side that does not send closes first",
        "client_gets_every_byte", "first-closer",
        ("        || fcntl(transfer->data_fd, F_SETFL,", "        || shutdown(transfer->data_fd, "
         "SHUT_WR) < 0\n        || fcntl(transfer->data_fd, F_SETFL,"), file=FETCH,
    ),
    client(
        "resets-the-data-connection", "`SO_LINGER` 0 (RST)", "client_gets_every_byte",
        "linger-rst", ("    if (end == ALL)\n        close(", "    if (false)\n        close("),
        file=FETCH,
    ),
    client(
        "keeps-the-data-connection", "descriptor never closed (no FIN)",
        "client_has_a_data_connection_for_each_transfer", "descriptor-leak",
        ("    if (end == ALL)\n        close(transfer->data_fd);", "    if (end == ALL)\n"
         "        ;"), file=FETCH,
    ),
    client(
        "stays-in-ascii", "text-mode translation: no TYPE I", "client_gets_every_byte",
        "ascii-type", ("    if (control->type != type[0]) {", "    if (false) {"), file=FETCH,
    ),
    client(
        "transfers-without-type-i", "the reply to TYPE is passed over",
        "client_transfers_nothing_without_type_i", "ascii-type",
        ("        if (kind(reply) != 2)\n            return false;\n        control->type",
         "        control->type"), file=FETCH,
    ),
    client(
        "forgets-the-type-of-ls", "text-mode translation: no TYPE I after ls",
        "client_runs_every_command_in_one_session", "ascii-type",
        ("control->type = type[0];", "control->type = 'I';"), file=FETCH,
    ),
]

GETTING = [
    client(
        "strips-cr", "text-mode translation", "client_gets_every_byte", "text-mode",
        saves("for (size_t i = 0; i < len; i++)\n"
              "        if (data[i] != '\\r' && !save(to, data + i, 1))\n"
              "            return false;\n    return true;"), file=FETCH,
    ),
    client(
        "saves-up-to-nul", "data handled as a C string", "client_gets_every_byte", "c-string",
        saves("return save(to, data, strnlen(data, len));"), file=FETCH,
    ),
    client(
        "saves-its-whole-buffer", "a fixed length instead of the bytes read",
        "client_gets_files_of_any_size", "fixed-length",
        saves("return save(to, data, len < 4096 ? 4096 : len);"), file=FETCH,
    ),
    client(
        "reads-once", "one read, no loop", "client_gets_a_big_file", "single-read",
        ("            transfer->bytes += n;", "            return ALL;"), file=FETCH,
    ),
    client(
        "loses-a-byte-at-a-border", "byte differences at block borders",
        "client_gets_a_big_file", "block-border",
        ("CHUNK = 256 * 1024", "CHUNK = 512"),
        saves("static bool later;\n    bool cut = later;\n    later = true;\n"
              "    return save(to, data + cut, len - cut);"), file=FETCH,
    ),
    client(
        "loses-small-rests", "the end of a file is not written", "client_gets_files_of_any_size",
        "partial-file", saves("return len < 512 || save(to, data, len);"), file=FETCH,
    ),
    client(
        "writes-under-the-name", "a file is seen before it is whole",
        "client_shows_a_file_when_it_is_whole[new]", "cut-file-kept",
        ("\".%.*s.%06x\",\n                 NAME_MAX - 8, saving->name, number & 0xffffff);",
         "\"%s\",\n                 saving->name);"),
        ("O_WRONLY | O_CREAT | O_EXCL", "O_WRONLY | O_CREAT | O_TRUNC"), file=FILES,
    ),
    client(
        "removes-the-old-file-first", "an old file is gone before the new one is whole",
        "client_shows_a_file_when_it_is_whole[old]", "cut-file-kept",
        ("    /* STEP 5:", "    unlinkat(saving->folder, saving->name, 0);\n    /* STEP 5:"),
        file=FILES,
    ),
    client(
        "never-replaces", "a file that is there cannot be got again",
        "client_shows_a_file_when_it_is_whole[old]", "exit-status",
        ("finish_saving(&saving, true)", "finish_saving(&saving, false)"), file=FETCH,
    ),
    client(
        "renames-before-the-reply", "a file is seen before it is known to be whole",
        "client_shows_a_file_when_it_is_whole[new]", "cut-file-kept",
        (GET, "        enum end end = receive_all(&transfer, &saving, save_bytes);\n"
         "        bool there = end == ALL && finish_saving(&saving, true);\n"
         "        return end_transfer(&transfer, end) && there;\n    }\n    if (!whole) {"),
        file=FETCH,
    ),
    client(
        "takes-fin-for-success", "cut files kept as whole", "client_keeps_no_cut_file[fin-426]",
        "cut-file-kept", (WHOLE, "bool whole = end == ALL;"), file=FETCH,
    ),
    client(
        "takes-451-for-success", "cut files kept as whole", "client_keeps_no_cut_file[fin-451]",
        "cut-file-kept", (WHOLE, "bool whole = end == ALL && kind(reply) != 5\n"
                          "        && reply->code != 426;"), file=FETCH,
    ),
    client(
        "takes-550-for-success", "cut files kept as whole", "client_keeps_no_cut_file[fin-550]",
        "cut-file-kept", (WHOLE, "bool whole = end == ALL && kind(reply) != 4;"), file=FETCH,
    ),
    client(
        "takes-reset-for-the-end", "cut files kept as whole",
        "client_keeps_no_cut_file[reset-226]", "cut-file-kept",
        ("            return BROKEN;\n        if (n > 0) {", "            return ALL;\n"
         "        if (n > 0) {"), file=FETCH,
    ),
    client(
        "keeps-what-came-until-a-reset", "cut files kept as whole",
        "client_keeps_no_cut_file[reset-426]", "cut-file-kept",
        ("    if (!whole) {\n        give_up_saving(&saving);\n", "    if (!whole) {\n"
         "        finish_saving(&saving, true);\n"), file=FETCH,
    ),
    client(
        "needs-no-reply-of-a-server-that-has-gone", "cut files kept as whole",
        "client_keeps_no_file_of_a_server_that_has_gone[before-its-reply-fin]", "cut-file-kept",
        (WHOLE, "bool whole = end == ALL && (kind(reply) == 2 || transfer->control->lost);"),
        file=FETCH,
    ),
    client(
        "keeps-what-a-lost-server-sent", "cut files kept as whole",
        "client_keeps_no_file_of_a_server_that_has_gone[within-the-file-reset]", "cut-file-kept",
        ("    if (!whole) {\n        give_up_saving(&saving);\n", "    if (!whole) {\n"
         "        finish_saving(&saving, true);\n"), file=FETCH,
    ),
    client(
        "keeps-a-cut-file-when-ended", "cut files kept as whole",
        "client_that_is_ended_leaves_no_cut_file", "cut-file-kept",
        ("        unlinkat(current->folder, current->temporary, 0);\n    _exit",
         "        renameat(current->folder, current->temporary, current->folder, "
         "current->name);\n    _exit"), file=FILES,
    ),
    client(
        "leaves-its-temporary-file", "a temporary file stays",
        "client_says_that_a_file_is_missing", "left-over-file",
        ("    unlinkat(saving->folder, saving->temporary, 0);\n    current = NULL;",
         "    current = NULL;"), file=FILES,
    ),
    client(
        "keeps-an-empty-file", "a missing file gives an empty one",
        "client_says_that_a_file_is_missing", "cut-file-kept",
        ("    if (!whole) {\n        give_up_saving(&saving);\n", "    if (!whole) {\n"
         "        finish_saving(&saving, true);\n"), file=FETCH,
    ),
    client(
        "does-not-tell-the-reply", "the server's reply is not told",
        "client_says_that_a_file_is_missing", "no-error-told",
        ("transfer->name[0] == '\\0' ? \"\" : \" \", transfer->name,\n"
         "            transfer->reply.text);", "\"\", transfer->name, \"failed\");"), file=FETCH,
    ),
    client(
        "tells-on-stdout", "diagnostics on stdout", "client_says_that_a_file_is_missing",
        "messages", ("    fprintf(stderr, \"%s: %s%s%s: %s\\n\"",
                     "    fprintf(stdout, \"%s: %s%s%s: %s\\n\""), file=FETCH,
    ),
    client(
        "knows-226-only", "wrong reply codes: 250 is success",
        "client_takes_other_codes_for_success[150]", "reply-code",
        (WHOLE, "bool whole = end == ALL && reply->code == 226;"), file=FETCH,
    ),
    client(
        "knows-150-only", "wrong reply codes: 125 is as good as 150",
        "client_takes_other_codes_for_success[125]", "reply-code",
        (IS_OPENING, "if (reply->code == 150)"), file=FETCH,
    ),
    client(
        "stops-at-226", "the last reply taken for the end of the data",
        "client_reads_up_to_the_end_of_the_data", "partial-file",
        ("if (kind(&transfer->reply) > 2 || control->lost)",
         "if (kind(&transfer->reply) > 1 || control->lost)"), file=FETCH,
    ),
    client(
        "hears-no-reply-while-it-receives", "a hang: only the data connection is watched",
        "client_hears_a_reply_while_it_waits_for_data[425]", "slow-end",
        ("ended ? -1 : control->fd", "-1"), file=FETCH,
    ),
    client(
        "full-disk-is-a-success", "a full disk is not told", "client_says_that_the_disk_is_full",
        "disk-full", ("if (n > 0 && !take(", "if (n > 0 && take("),
        (SAVE, "return save(to, data, len) && false;"), file=FETCH,
    ),
    client(
        "full-disk-ends-the-session", "a full disk ends more than one transfer",
        "client_says_that_the_disk_is_full", "disk-full",
        ("            return OURS;\n        if (n < 0", "            exit(1);\n        if (n < 0"),
        file=FETCH,
    ),
    client(
        "keeps-what-the-disk-could-take", "a cut file on a full disk",
        "client_says_that_the_disk_is_full", "disk-full",
        ("    if (!whole) {\n        give_up_saving(&saving);\n", "    if (!whole) {\n"
         "        finish_saving(&saving, true);\n"), file=FETCH,
    ),
    client(
        "cannot-write-is-a-success", "wrong exit status", "client_says_that_it_cannot_write",
        "exit-status",
        ("        set_failure(&transfer.reply, local);\n        return failed(&transfer);\n"
         "    }\n\n    /* STEP 20", "        set_failure(&transfer.reply, local);\n"
         "        return !failed(&transfer);\n    }\n\n    /* STEP 20"), file=FETCH,
    ),
    client(
        "saves-in-no-other-folder", "a path for LOCAL not understood",
        "client_saves_under_the_name_it_is_told", "messages",
        ("    int folder = open_folder(len == 0 ? \".\" : above);",
         "    int folder = open_folder(\".\");"), file=FILES,
    ),
    client(
        "ignores-local", "another name than asked", "client_saves_under_the_name_it_is_told",
        "messages", (DEFAULT, "base_name(from)"),
    ),
    client(
        "asks-for-the-base-name", "another name than asked",
        "client_saves_under_the_name_it_is_told", "messages",
        ("get_file(control, from, to)", "get_file(control, base_name(from), to)"),
    ),
    client(
        "makes-a-name-that-is-too-long", "no room for a temporary name's end",
        "client_saves_a_file_of_the_longest_name", "partial-file",
        ("        fd = openat(saving->folder, saving->temporary,",
         "        if (strlen(saving->name) > NAME_MAX - 8)\n            return errno = "
         "ENAMETOOLONG, -1;\n        fd = openat(saving->folder, saving->temporary,"), file=FILES,
    ),
    client(
        "shows-progress-to-a-pipe", "progress where there is no terminal",
        "client_gets_a_big_file", "messages",
        ("if (!isatty(STDERR_FILENO) || ", "if ("),
        ("if (end || now() >= transfer->shown + 200) {", "if (true) {"), file=FETCH,
    ),
    client(
        "keeps-a-folder-open", "descriptor never closed (leak)", "client_keeps_no_descriptor",
        "descriptor-leak",
        ("        current = NULL;\n        close(folder);", "        current = NULL;"), file=FILES,
    ),
    client(
        "keeps-refused-data-connections-open", "descriptor never closed (leak)",
        "client_keeps_no_descriptor", "descriptor-leak",
        ("    if (transfer->data_fd >= 0)\n        close(transfer->data_fd);\n", ""), file=FETCH,
    ),
]

PUTTING = [
    client(
        "forgets-what-send-did-not-take", "partial `write` not continued",
        "client_puts_a_big_file_to_a_slow_server", "partial-write",
        ("        transfer->bytes = offset;", "        transfer->bytes = offset = "
         "status.st_size;"), file=FETCH,
    ),
    client(
        "sends-crlf", "text-mode translation", "client_puts_every_byte", "text-mode",
        sends("for (int c; (c = getc(in)) != EOF; ) {\n        if (c == '\\n')\n"
              "            send(out, \"\\r\", 1, 0);\n        send(out, &(char){ c }, 1, 0);\n"
              "    }"), file=FETCH,
    ),
    client(
        "sends-up-to-nul", "data handled as a C string", "client_puts_every_byte", "c-string",
        sends("for (char line[4096]; fgets(line, sizeof line, in) != NULL; )\n"
              "        send(out, line, strlen(line), 0);"), file=FETCH,
    ),
    client(
        "sends-its-whole-buffer", "`sizeof` sent instead of the bytes read",
        "client_puts_files_of_any_size", "fixed-length",
        sends("for (char part[512]; fread(part, 1, sizeof part, in) > 0; )\n"
              "        send(out, part, sizeof part, 0);"), file=FETCH,
    ),
    client(
        "sends-a-border-twice", "byte differences at block borders",
        "client_puts_files_of_any_size", "block-border",
        sends("size_t n;\n    for (char part[512]; (n = fread(part, 1, 512, in)) > 0; ) {\n"
              "        int more = getc(in);\n        send(out, part, n, 0);\n"
              "        if (ungetc(more, in) != EOF)\n"
              "            send(out, part + 511, 1, 0);\n    }"), file=FETCH,
    ),
    client(
        "sends-whole-blocks-only", "the end of a file is not sent",
        "client_puts_files_of_any_size", "partial-file",
        ("    while (offset < status.st_size) {", "    status.st_size &= ~511L;\n"
         "    while (offset < status.st_size) {"), file=FETCH,
    ),
    client(
        "never-ends-the-data", "the end of the file is not told",
        "client_puts_every_byte", "descriptor-leak",
        ("    if (end == ALL)\n        close(transfer->data_fd);", "    if (end == ALL)\n"
         "        ;"), file=FETCH,
    ),
    client(
        "does-not-wait-for-the-reply", "a file is left before it is stored",
        "client_waits_until_a_file_is_stored", "out-of-turn",
        ("    while (kind(reply) == 1 && !transfer->control->lost)", "    while (false)"),
        file=FETCH,
    ),
    client(
        "does-not-look-at-the-last-reply", "a file that was not stored is not told",
        "client_says_that_a_file_was_not_stored", "no-error-told",
        (WHOLE, "bool whole = end == ALL;"), file=FETCH,
    ),
    client(
        "does-not-tell-a-refused-put", "a file that was not stored is not told",
        "client_says_that_a_file_was_not_stored", "no-error-told",
        ("    if (!whole)\n        failed(&transfer);", "    if (!whole)\n"
         "        fprintf(stderr, \"client: put failed\\n\");"), file=FETCH,
    ),
    client(
        "puts-an-empty-file-for-none", "a missing file is sent as an empty one",
        "client_puts_no_file_that_is_not_there", "no-error-told",
        ("    if (file_fd < 0)\n        return failed(&transfer);\n", ""), file=FETCH,
    ),
    client(
        "puts-a-folder", "a folder is taken for a file", "client_puts_no_folder", "not-a-file",
        ("    if (!S_ISREG(status.st_mode)) {", "    if (false) {"), file=FETCH,
    ),
    client(
        "ignores-remote", "another name than asked", "client_puts_under_the_name_it_is_told",
        "messages", ("put_file(control, from, to)", "put_file(control, from, base_name(from))"),
    ),
    client(
        "waits-for-a-writer", "a FIFO is taken for a file", "client_puts_no_fifo", "not-a-file",
        ("O_RDONLY | O_NONBLOCK);", "O_RDONLY);"), file=FETCH,
    ),
    client(
        "puts-after-150-only", "wrong reply codes: 125 is as good as 150",
        "client_puts_in_spite_of_other_codes[125]", "reply-code",
        (IS_OPENING, "if (verb[0] == 'S' ? reply->code == 150 : kind(reply) <= 2)"), file=FETCH,
    ),
    client(
        "puts-until-226-only", "wrong reply codes: 250 is success",
        "client_puts_in_spite_of_other_codes[150]", "reply-code",
        (WHOLE, f"{WHOLE}\n    whole &= transfer->what[0] != 'p' || reply->code == 226;"),
        file=FETCH,
    ),
    client(
        "killed-by-sigpipe", "killed by SIGPIPE", "client_says_that_its_file_was_broken_off[reset]",
        "sigpipe", ("    ignore_sigpipe();\n", ""),
    ),
    client(
        "hears-no-reply-while-it-sends", "a hang: only the data connection is watched",
        "client_says_that_its_file_was_broken_off[stops-reading]", "slow-end",
        ("ended ? -1 : control->fd", "-1"), file=FETCH,
    ),
    client(
        "lost-put-is-a-success", "wrong exit status",
        "client_says_that_the_server_has_gone_within_its_file[reset]", "exit-status",
        (NO_EXIT, "    return well || control.lost ? 0 : 1;"),
    ),
]

SESSION = [
    client(
        "ends-at-the-first-failure", "a failed command ends the session",
        "client_goes_on_after_a_failed_command", "control-closed",
        ("while (outcome != QUIT && !control->lost) {",
         "while (outcome == DONE && !control->lost) {"),
    ),
    client(
        "exits-as-the-last-command-did", "wrong exit status",
        "client_goes_on_after_a_failed_command", "exit-status",
        ("        if (outcome == FAILED)\n            all_done = false;",
         "        all_done = outcome != FAILED;"),
    ),
    client(
        "forgets-failures", "wrong exit status", "client_tells_of_every_failed_command",
        "exit-status",
        ("        if (outcome == FAILED)\n            all_done = false;", ""),
    ),
    client(
        "tells-failures-in-the-end", "diagnostics kept back",
        "client_tells_of_every_failed_command", "no-error-told",
        ("    ignore_sigpipe();\n", "    ignore_sigpipe();\n"
         "    setvbuf(stderr, NULL, _IOFBF, 1 << 16);\n"),
    ),
    client(
        "fails-at-a-blank-line", "a blank line taken for a command",
        "client_exits_with_0_when_all_went_well", "exit-status",
        ("    if (is_text && count == 0)\n        return DONE;\n", ""),
        ("count < 0 || !is_command", "count <= 0 || !is_command"),
    ),
    client(
        "forgets-failures-at-quit", "wrong exit status",
        "client_remembers_a_failure_until_it_quits", "exit-status",
        ("        if (outcome == FAILED)\n            all_done = false;",
         "        if (outcome != DONE)\n            all_done = outcome == QUIT;"),
    ),
    *(client(
        f"reads-lines-of-{size}-bytes", "a long line taken for several",
        "client_takes_lines_of_any_length", "lines-mixed",
        ("        ssize_t n = getline(&line, &size, stdin);",
         f"        line = line == NULL ? malloc(size = {size}) : line;\n"
         "        ssize_t n = fgets(line, (int)size, stdin) == NULL ? -1\n"
         "            : (ssize_t)strlen(line);"),
    ) for size in (80, 256, 1024)),
    client(
        "has-little-room-for-a-command", "a long name is not sent",
        "client_takes_lines_of_any_length", "lines-mixed",
        ("COMMAND_BYTES = 8192", "COMMAND_BYTES = 270"), file=CONTROL,
    ),
    client(
        "loses-a-last-line-without-newline", "the last line lost",
        "client_runs_every_command_in_one_session", "lines-lost",
        ("        if (n < 0)\n            break;", "        if (n < 0 || line[n - 1] != '\\n')\n"
         "            break;"),
    ),
    client(
        "takes-each-blank-for-a-border", "two blanks make an empty word",
        "client_runs_every_command_in_one_session", "messages",
        ("count < WORDS;\n         line += strspn(line, blanks)) {", "count < WORDS; ) {"),
    ),
    client(
        "leaves-without-quit", "QUIT is not sent", "client_quits", "closes-both",
        (QUIT, "        (void)reply;"), file=CONTROL,
    ),
    client(
        "leaves-before-221", "the reply to QUIT is not waited for", "client_quits",
        "closes-both", (QUIT, "        (void)reply, send_all(control->fd, \"QUIT\\r\\n\", 6);"),
        ("    if (!control->lost && set_patience(control->fd, FAREWELL))", "    if (false)"),
        file=CONTROL,
    ),
    client(
        "reads-on-after-quit", "stdin's end is waited for after `quit`",
        "client_quits_while_stdin_stays_open", "slow-end",
        ("    free(line);", "    while (outcome == QUIT && getchar() != EOF)\n        ;\n"
         "    free(line);"),
    ),
    client(
        "prompts-nobody", "no prompt at a terminal", "client_prompts_at_a_terminal_only",
        "stdout-not-flushed", ("if (isatty(STDIN_FILENO))", "if (false)"),
    ),
    client(
        "prompts-a-pipe", "a prompt where there is no terminal",
        "client_prompts_at_a_terminal_only", "messages",
        ("if (isatty(STDIN_FILENO))", "if (true)"),
    ),
    client(
        "prompts-a-pipe-on-stdout", "a prompt where there is no terminal",
        "client_runs_every_command_in_one_session", "messages",
        ("        if (isatty(STDIN_FILENO))\n            fprintf(stderr, \"ftp> \");",
         "        printf(\"ftp> \");"),
    ),
    client(
        "lists-with-cr", "text-mode translation left out", "client_lists_names", "ascii-type",
        ("        *cr = data[i] == '\\r';", "        *cr = false;"), file=FETCH,
    ),
    client(
        "lists-after-150-only", "wrong reply codes: 125 is as good as 150",
        "client_lists_in_spite_of_other_codes[125]", "reply-code",
        (IS_OPENING, "if (verb[0] == 'N' ? reply->code == 150 : kind(reply) <= 2)"), file=FETCH,
    ),
    client(
        "lists-until-226-only", "wrong reply codes: 250 is success",
        "client_lists_in_spite_of_other_codes[250]", "reply-code",
        (WHOLE, f"{WHOLE}\n    whole &= transfer->what[0] != 'l' || reply->code == 226;"),
        file=FETCH,
    ),
    client(
        "knows-crlf-in-one-segment-only", "one read, no loop",
        "client_lists_many_names_in_pieces", "single-read",
        ("        *cr = data[i] == '\\r';", "        *cr = data[i] == '\\r' && i + 1 < len;"),
        file=FETCH,
    ),
    client(
        "lists-by-list", "`ls` is not NLST", "client_lists_names", "messages",
        ("\"A\", \"NLST\", NULL", "\"A\", \"LIST\", NULL"), file=FETCH,
    ),
    client(
        "cut-list-is-a-success", "wrong reply codes: the last one is passed over",
        "client_says_that_a_list_is_cut[fin]", "reply-code",
        (WHOLE, "bool whole = end == ALL;"), file=FETCH,
    ),
    client(
        "full-stdout-is-a-success", "wrong exit status", "client_says_that_stdout_is_full",
        "exit-status", ("return fflush(stdout) == 0;", "return fflush(stdout) <= 0;"), file=FETCH,
    ),
    client(
        "sends-names-with-line-ends", "a name becomes a second command",
        "client_sends_no_command_within_a_name", "messages",
        (" && strpbrk(name, \"\\r\\n\") == NULL;", ";"),
    ),
    client(
        "sends-names-with-lf", "a name becomes a second command",
        "client_sends_no_command_within_a_name", "messages",
        ("strpbrk(name, \"\\r\\n\")", "strstr(name, \"\\r\\n\")"),
    ),
    client(
        "unreadable-stdin-is-a-success", "wrong exit status",
        "client_says_that_stdin_cannot_be_read", "exit-status",
        ("    if (ferror(stdin)) {\n        complain(\"stdin\");\n        all_done = false;",
         "    if (ferror(stdin)) {\n        complain(\"stdin\");"),
    ),
    client(
        "ended-session-is-a-success", "wrong exit status",
        "client_says_that_the_server_ended_the_session", "exit-status",
        (NO_EXIT, "    return well || control.lost ? 0 : 1;"),
    ),
    client(
        "gives-up-on-lost-commands", "a time limit shorter than TCP's patience",
        "pair_on_a_bad_network[control-commands]", "own-timeout",
        ("    if (!set_patience(control->fd, SILENCE))",
         "    if (setsockopt(control->fd, SOL_SOCKET, SO_RCVTIMEO,\n"
         "                   &(struct timeval){ .tv_usec = 50000 }, sizeof(struct timeval)) < 0)"),
        ("#include <unistd.h>", "#include <sys/time.h>\n#include <unistd.h>"), file=CONTROL,
    ),
    client(
        "gives-up-on-lost-data", "a time limit shorter than TCP's patience",
        "pair_on_a_bad_network[fin]", "own-timeout", ("SILENCE * 1000", "50"), file=FETCH,
    ),
]

KNOWN_WRONG = [*COMMAND_LINE, *REPLIES, *LOGIN, *DATA_CONNECTION, *GETTING, *PUTTING, *SESSION]

KNOWN_WRONG += [
    KnownWrong("ftp_client-udp", "UDP where TCP is asked", "client",
               (("look_up(host, port, SOCK_STREAM, 0)", "look_up(host, port, SOCK_DGRAM, 0)"),),
               "test_client_connects_to_the_right_port", "udp-not-tcp", file="net.c"),
]
