"""Lab 04: `udp_server` made wrong, in its own file or in a module."""

from __future__ import annotations

from known_wrong import KnownWrong
from known_wrong.tftp_edits import (
    ABORTS, A_BLOCK_AHEAD, A_BYTE_AGAIN, COUNTS_16_BITS, COUNTS_ALL, DOTTED_ONLY, EACH_ACK,
    EARLY_ACKS, ENDS_AT_0, ENDS_AT_2, FILES, FULL_IS_FINE, HEARS_ANY_HOST, HEARS_ANY_PORT,
    HEARS_NO_ERROR, IN_WINDOW, IPV4_ONLY, IS_NEW, KEEPS_CUT, KEEPS_TEMPORARY, LAST_ACKS,
    LINE_ENDS, LOWER_CASE_ONLY, NET, NEXT, NOTHING_OF_NOTHING, NO_EMPTY_BLOCK, NO_SECOND_ACK,
    OLD_ACKS, ONE_SILENCE, OVER_A_GAP, PACKETS, PEER, POLLS, SAME_ACKS, SAVES_UP_TO_NUL,
    SENDS_ONCE, SHORTER, TOO_MUCH, TRANSFER, UNKNOWN_NAME, UP_TO_NUL, WRAPS_TO_1, WRITES_AGAIN,
    WRITES_ANY,
)

LAB = "04-file-transfer"
CHILDREN = "children.c"


def server(
    name: str, fault: str, killed_by: str, cause: str, *edits: tuple[str, str], file: str = "",
) -> KnownWrong:
    """A wrong server; names are completed with what all of them begin with."""
    return KnownWrong(f"udp-server-{name}", fault, "udp_server", edits,
                      f"test_udp_server_{killed_by}", cause, file=file)


def pair(
    name: str, fault: str, killed_by: str, cause: str, *edits: tuple[str, str], file: str = "",
) -> KnownWrong:
    """A wrong server that a test of both programs must find."""
    return KnownWrong(f"udp-server-{name}", fault, "udp_server", edits,
                      f"test_pair_udp_{killed_by}", cause, file=file)


BIND = "return bind(fd, ai->ai_addr, ai->ai_addrlen);"
HANDLE = "    if (is_repeated(asked))\n        return;\n"
"""Where the request is known to be one."""
OPEN = "open_file_in(folder, request->name)"
WITH_OPEN = ("#include <errno.h>\n", "#include <errno.h>\n#include <fcntl.h>\n")
FORK = "    pid_t child = fork_child(&asked->client, &place);\n"


COMMAND_LINE = [
    server(
        "any-text-for-a-port", "a port that is none is taken",
        "explains_wrong_arguments", "usage",
        ("option == 'p' && is_port(optarg)", "option == 'p'"),
    ),
    server(
        "passes-over-surplus-words", "wrong arguments are passed over",
        "explains_wrong_arguments", "usage",
        ("    if (optind < argc)\n        usage();\n", ""),
    ),
    server(
        "dies-of-an-unknown-name", "the result of getaddrinfo is not looked at",
        "says_what_it_cannot_have", "lookup-error",
        UNKNOWN_NAME,
        file=NET,
    ),
    server(
        "serves-a-folder-that-is-not-there", "that FOLDER is missing is not told",
        "says_what_it_cannot_have", "no-error-told",
        ("    if (served.folder < 0)\n        die(folder);\n", ""),
    ),
    server(
        "taken-port-is-a-success", "wrong exit status",
        "says_that_its_port_is_taken", "address-in-use",
        ("name, port, strerror(why));\n        exit(1);",
         "name, port, strerror(why));\n        exit(0);"), file=NET,
    ),
    server(
        "dotted-addresses-only", "only dotted addresses understood",
        "understands_a_name", "dotted-only",
        DOTTED_ONLY, file=NET,
    ),
    server(
        "port-in-host-byte-order", "a port not in network byte order",
        "is_at_its_port", "byte-order",
        (BIND, "((struct sockaddr_in *)ai->ai_addr)->sin_port = (in_port_t)6666;\n    " + BIND),
        file=NET,
    ),
    server(
        "open-to-the-network", "at 0.0.0.0 when it is not told where",
        "is_at_its_port", "wrong-address",
        ('*address = "127.0.0.1"', '*address = "0.0.0.0"'),
    ),
    server(
        "tcp-too", "a TCP socket besides the UDP one",
        "is_at_its_port", "tcp-not-udp",
        ("    print_start_line(fd);\n",
         "    listen(socket(AF_INET, SOCK_STREAM, 0), 9);\n    print_start_line(fd);\n"),
    ),
    server(
        "start-line-not-flushed", "stdout not flushed",
        "is_at_its_port", "stdout-not-flushed",
        ("\n            || fflush(stdout) == EOF", ""), file=NET,
    ),
    server(
        "tells-the-port-it-was-given", "port 0 in the start line",
        "tells_the_port_it_got", "messages",
        ("    print_start_line(fd);\n",
         '    printf("listening on %s port %s\\n", address, port);\n    fflush(stdout);\n'),
    ),
    server(
        "ignores-p", "another port than asked",
        "is_where_it_is_told[every-ipv4]", "wrong-port",
        ("            port = optarg;", "            ;"),
    ),
    server(
        "no-ipv6", "no IPv6",
        "is_where_it_is_told[ipv6]", "no-ipv6",
        IPV4_ONLY, file=NET,
    ),
    server(
        "transfers-by-ipv4", "no IPv6: a transfer's socket is one of IPv4",
        "is_where_it_is_told[every-ipv6]", "no-ipv6",
        ("socket(peer->ss_family, SOCK_DGRAM, 0)", "socket(AF_INET, SOCK_DGRAM, 0)"), file=PEER,
    ),
    server(
        "ended-by-sigterm", "wrong exit status",
        "ends_by_a_signal[SIGTERM]", "exit-status",
        ("sigaction(SIGTERM, &action", "sigaction(SIGUSR1, &action"), file=CHILDREN,
    ),
    server(
        "kills-its-children", "a temporary file stays when the server ends",
        "ends_by_a_signal[SIGTERM]", "left-over-file",
        ("kill(children[i], SIGTERM);", "kill(children[i], SIGKILL);"), file=CHILDREN,
    ),
    server(
        "leaves-its-children", "left-over children",
        "ends_by_a_signal[SIGINT]", "left-over-process",
        ("kill(children[i], SIGTERM);", ";"), ("    while (wait(NULL) > 0)\n        ;\n", ""),
        ("prctl(PR_SET_PDEATHSIG, SIGTERM) < 0", "0"), file=CHILDREN,
    ),
    server(
        "ends-after-a-silent-second", "gives up a peer that is silent",
        "waits_without_using_the_processor", "own-timeout",
        ("#include <errno.h>", "#include <errno.h>\n#include <poll.h>"),
        ("        if (take_packet", "        if (poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 1000)"
         " == 0)\n            exit(0);\n        else if (take_packet"),
    ),
    server(
        "polls", "busy waiting",
        "waits_without_using_the_processor", "busy-wait",
        POLLS, file=PEER,
    ),
]

REQUESTS = [
    server(
        "cuts-names-at-a-blank", "a name is changed",
        "takes_any_name", "c-string",
        (HANDLE, HANDLE + "    ((char *)request.name)[strcspn(request.name, \" \")] = 0;\n"),
    ),
    server(
        "name-as-a-format", "input from the network reaches a format string",
        "takes_any_name", "format-string",
        (HANDLE, HANDLE + "    if (strchr(request.name, '%'))\n"
         "        fprintf(stderr, request.name, 0, 0, 0);\n"),
    ),
    server(
        "lower-case-modes-only", "modes in capitals are refused",
        "knows_one_mode", "messages",
        ("strcasecmp(request.mode, \"octet\")", "strcmp(request.mode, \"octet\")"),
    ),
    server(
        "any-mode", "text-mode translation is asked for, and not refused",
        "knows_one_mode", "text-mode",
        ("if (strcasecmp(request.mode, \"octet\") != 0) {", "if (false) {"),
    ),
    server(
        "tells-nobody-what-is-missing", "wrong ERROR code",
        "answers_one_request_after_the_other", "no-error-told",
        ("{ ENOENT, FILE_NOT_FOUND }", "{ ENOENT, NOT_DEFINED }"), file=PEER,
    ),
    server(
        "takes-netascii", "text-mode translation is asked for, and not refused",
        "refuses_another_mode", "text-mode",
        ("if (strcasecmp(request.mode, \"octet\") != 0) {", "if (false) {"),
    ),
    server(
        "refuses-modes-as-missing-files", "wrong ERROR code",
        "knows_one_mode", "text-mode",
        ("ILLEGAL_OPERATION, \"Only mode octet\"", "FILE_NOT_FOUND, \"Only mode octet\""),
    ),
    server(
        "reads-beyond-the-packet", "data handled as a C string: no NUL in the packet",
        "outlives_malformed_requests", "c-string",
        ("end = memchr(string, '\\0', packet->len - *offset);",
         "end = string + strlen((const char *)string);"), file=PACKETS,
    ),
    server(
        "dies-of-no-mode", "data handled as a C string: a NULL in place of it",
        "outlives_malformed_requests", "c-string",
        ("return request->name != NULL && request->mode != NULL", "return true"), file=PACKETS,
    ),
    server(
        "room-for-short-names", "a name of any length is copied",
        "outlives_long_requests", "unbounded",
        (HANDLE, HANDLE + "    char name[100];\n    strcpy(name, request.name);\n"
         "    request.name = strdup(name);\n"),
    ),
    server(
        "sends-an-error-without-its-nul", "an ERROR packet without its NUL",
        "says_that_there_is_no_such_file", "error-packet",
        ("    packet->len = HEADER + 1;\n", "    packet->len = HEADER;\n"),
        file=PACKETS,
    ),
]

OPTIONS = [
    server(
        "keeps-its-block-size", "blksize is agreed on, and not kept",
        "takes_another_block_size[1024]", "bad-options",
        ("t->block_size = options->value[BLKSIZE];", ";"), file=PEER,
    ),
    server(
        "agrees-to-more-than-it-was-asked", "an option in the OACK that nobody asked for",
        "takes_another_block_size[1024]", "bad-options",
        ("    if (any) {", "    if (any) {\n        options.has[TSIZE] = true;"),
    ),
    server(
        "knows-no-options", "options are passed over",
        "answers_what_it_is_asked", "bad-options",
        ("any = any || options.has[i];", ";"),
    ),
    server(
        "lower-case-options-only", "options in capitals are passed over",
        "answers_what_it_is_asked", "bad-options",
        LOWER_CASE_ONLY, file=PACKETS,
    ),
    server(
        "refuses-unknown-options", "an unknown option is not passed over",
        "answers_what_it_is_asked", "bad-options",
        ("        for (int i = 0; i < OPTIONS; i++) {\n            if (strcase",
         "        if (strcmp(name, \"x\") == 0)\n            return false;\n"
         "        for (int i = 0; i < OPTIONS; i++) {\n            if (strcase"), file=PACKETS,
    ),
    server(
        "waits-for-no-ack-0", "DATA 1 before the OACK is acknowledged",
        "answers_what_it_is_asked", "wrong-block",
        ("        outcome = exchange(t, ACK);", "        send_packet(t, &t->out, &t->peer);"),
    ),
    server(
        "agrees-to-any-block-size", "a blksize in the OACK that there is none of",
        "agrees_to_the_largest_block_size", "bad-options",
        ("options.value[BLKSIZE] = MAX_BLOCK;", ";"),
    ),
    server(
        "tells-no-size", "tsize is sent back as it came",
        "tells_the_size", "bad-options",
        ("options.value[TSIZE] = (unsigned long)file->st_size;", ";"),
    ),
    server(
        "always-agrees", "an OACK without any option",
        "says_nothing_of_options_it_is_not_asked", "bad-options",
        ("bool any = false;", "bool any = true;"),
    ),
    server(
        "blocks-of-nothing", "blksize 0 is agreed to",
        "takes_no_senseless_values[blksize]", "bad-options",
        ('"blksize", MIN_BLOCK,', '"blksize", 0,'), file=PACKETS,
    ),
    server(
        "any-text-for-a-number", "a value that is no number is agreed to",
        "takes_no_senseless_values[timeout]", "bad-options",
        ("is_number(text, known[i].most)", "options->value[i] <= known[i].most"),
        ('"timeout", 1,', '"timeout", 0,'), file=PACKETS,
    ),
    server(
        "windows-of-nothing", "windowsize 0 is agreed to",
        "takes_no_senseless_values[windowsize]", "bad-options",
        ('"windowsize", 1,', '"windowsize", 0,'), file=PACKETS,
    ),
    server(
        "does-not-hear-error-8", "an ERROR in answer to the OACK is passed over",
        "ends_a_transfer_whose_options_are_refused", "vanished-client",
        HEARS_NO_ERROR,
        file=PEER,
    ),
]

SENDING = [
    server(
        "no-last-empty-block", "last block of exactly the block size",
        "sends_a_file_of_any_size[full-blocks]", "last-block",
        NO_EMPTY_BLOCK, file=TRANSFER,
    ),
    server(
        "sends-nothing-of-an-empty-file", "an empty file has no block at all",
        "sends_a_file_of_any_size[less-than-a-block]", "no-answer",
        NOTHING_OF_NOTHING, file=TRANSFER,
    ),
    server(
        "repeats-a-byte-at-each-border", "byte differences at block borders",
        "sends_a_file_of_any_size[more]", "block-border",
        A_BYTE_AGAIN, file=TRANSFER,
    ),
    server(
        "numbers-in-host-byte-order", "a block's number not in network byte order",
        "sends_a_file_of_any_size[more]", "byte-order",
        ("    put_be16(bytes + 2, number);\n", "    memcpy(bytes + 2, &number, 2);\n"),
        file=PACKETS,
    ),
    server(
        "counts-from-0", "the first block is number 0",
        "sends_a_file_of_any_size[more]", "wrong-block",
        ("(uint16_t)++*sent", "(uint16_t)(*sent)++"), file=TRANSFER,
    ),
    server(
        "translates-line-ends", "text-mode translation",
        "sends_every_byte", "text-mode",
        LINE_ENDS, file=TRANSFER,
    ),
    server(
        "sends-up-to-nul", "data handled as a C string (cut at NUL)",
        "sends_every_byte", "c-string",
        UP_TO_NUL,
        file=TRANSFER,
    ),
    server(
        "sends-a-block-ahead", "a block is sent before the ACK of the last one",
        "waits_for_each_acknowledgement", "wrong-block",
        A_BLOCK_AHEAD, file=TRANSFER,
    ),
    server(
        "never-sends-again", "no retransmission",
        "sends_again_what_is_not_acknowledged", "no-retransmission",
        SENDS_ONCE, file=PEER,
    ),
    server(
        "sends-again-after-two-seconds", "the first retransmission after 2 s",
        "sends_again_what_is_not_acknowledged", "wrong-timeout",
        ("t->timeout = USUAL_TIMEOUT;", "t->timeout = 2 * USUAL_TIMEOUT;"), file=PEER,
    ),
    server(
        "sends-again-after-half-a-second", "the first retransmission after 0.5 s",
        "sends_again_what_is_not_acknowledged", "wrong-timeout",
        ("t->timeout = USUAL_TIMEOUT;", "t->timeout = USUAL_TIMEOUT / 2;"), file=PEER,
    ),
    server(
        "ends-where-the-file-ends-now", "a file that shrinks is sent as if it were whole",
        "sends_what_it_has_told", "partial-file",
        SHORTER, file=TRANSFER,
    ),
    server(
        "does-not-hear-errors", "an ERROR of the client is passed over",
        "ends_a_transfer_by_an_error", "vanished-client",
        HEARS_NO_ERROR,
        file=PEER,
    ),
    server(
        "answers-old-acks", "sorcerer's apprentice (duplicated ACKs doubled)",
        "is_no_sorcerers_apprentice", "sorcerers-apprentice",
        OLD_ACKS, file=TRANSFER,
    ),
    server(
        "any-ack-moves-on", "sorcerer's apprentice: any ACK calls forth the next block",
        "is_no_sorcerers_apprentice", "sorcerers-apprentice",
        (IS_NEW, "if (true) {\n            ahead = 1;"), file=TRANSFER,
    ),
    server(
        "skips-with-an-early-ack", "an ACK of what was not sent moves on",
        "does_not_skip_a_block", "wrong-block",
        EARLY_ACKS, file=TRANSFER,
    ),
    server(
        "wraps-to-1", "block number wrap",
        "sends_more_than_65535_blocks", "block-wrap",
        WRAPS_TO_1, file=TRANSFER,
    ),
    server(
        "ends-at-block-65535", "block number wrap: a count of 16 bits",
        "sends_more_than_65535_blocks", "block-wrap",
        ("        uint16_t ahead = (uint16_t)(block_of(&t->in) - *acked);",
         "        uint64_t ahead = block_of(&t->in) - *acked;"), file=TRANSFER,
    ),
    server(
        "hears-any-port", "packets from a strange port",
        "ignores_strangers[another-port]", "strange-port",
        HEARS_ANY_PORT,
        file=PEER,
    ),
    server(
        "hears-any-host", "packets from a strange host with the right port",
        "ignores_strangers[another-address]", "strange-port",
        HEARS_ANY_HOST, file=PEER,
    ),
    server(
        "tells-strangers-too-much", "a stranger gets another ERROR than 5",
        "ignores_strangers[another-port]", "strange-port",
        ("make_error(&error, UNKNOWN_PORT,", "make_error(&error, ILLEGAL_OPERATION,"), file=PEER,
    ),
]

WINDOWS = [
    server(
        "window-and-one-more", "more blocks at once than a window has",
        "sends_in_windows[4]", "wrong-block",
        (IN_WINDOW, "end = acked + t->window + (t->window > 1);"), file=TRANSFER,
    ),
    server(
        "lockstep-in-windows", "waits for an ACK in the middle of a window",
        "sends_in_windows[4]", "wrong-block",
        (IN_WINDOW, "end = acked + 1;"), file=TRANSFER,
    ),
    server(
        "whole-windows-only", "an ACK from the middle of a window is passed over",
        "goes_on_from_a_gap", "wrong-block",
        LAST_ACKS, file=TRANSFER,
    ),
    server(
        "doubles-a-window", "a duplicated ACK doubles a window",
        "goes_on_from_a_gap", "sorcerers-apprentice",
        SAME_ACKS, file=TRANSFER,
    ),
    server(
        "acknowledges-each-block", "ACKs in the middle of a window",
        "takes_windows", "wrong-block",
        EACH_ACK, file=TRANSFER,
    ),
    server(
        "forgets-the-last-ack", "no ACK for a last window that is not full",
        "takes_windows", "wrong-block",
        ("        return progress->whole\n            || progress", "        return progress"),
        file=TRANSFER,
    ),
    server(
        "writes-over-a-gap", "a block behind a gap is written",
        "tells_of_a_gap", "wrong-block",
        OVER_A_GAP, file=TRANSFER,
    ),
]

PORTS = [
    server(
        "answers-from-its-port", "the transfer goes on from the port of the request",
        "takes_a_new_port_for_each_transfer", "same-port",
        ("/* -- A transfer ---", "static int request_fd;\n\n/* -- A transfer ---"),
        ("        close(fd);\n        serve_one(", "        request_fd = fd;\n        serve_one("),
        ("        outcome = request->opcode == RRQ\n",
         "        outcome = (transfer.fd = request_fd, request->opcode == RRQ)\n"),
    ),
    server(
        "room-for-50", "only so many clients are served at once",
        "serves_many_at_once", "too-few-clients",
        ("if (*place < MOST_CHILDREN && count_of(client) < MOST_OF_A_HOST)", "if (*place < 50)"),
        file=CHILDREN,
    ),
    server(
        "one-at-a-time", "a vanished client keeps the server busy",
        "lets_no_client_wait_for_another", "vanished-client",
        (FORK, FORK + "    while (child > 0 && kill(child, 0) == 0)\n        usleep(1000);\n"),
    ),
    server(
        "ends-at-a-repeated-request", "a request that comes twice ends the server",
        "takes_a_request_that_comes_twice", "one-client-only",
        (HANDLE, "    if (is_repeated(asked))\n        exit(1);\n"),
    ),
    server(
        "one-client", "only one client ever served",
        "keeps_nothing_of_its_clients", "one-client-only",
        ("    for (;;)\n        if (take_packet", "    for (int i = 0; ; i++)\n"
         "        if (i > 0)\n            pause();\n        else if (take_packet"),
    ),
    server(
        "keeps-a-descriptor", "descriptor never closed",
        "keeps_nothing_of_its_clients", "descriptor-leak",
        (FORK, FORK + "    dup(fd);\n"),
    ),
    server(
        "keeps-zombies", "zombie children",
        "keeps_nothing_of_its_clients", "zombie-children",
        ("while ((child = waitpid(-1, NULL, WNOHANG)) > 0)", "while ((child = 0) > 0)"),
        file=CHILDREN,
    ),
    server(
        "ends-where-it-cannot-answer", "an error of sendto() ends the server",
        "outlives_clients_it_cannot_reach", "unreachable-ends-server",
        (FORK, "    if (port_of(&asked->client) == 0)\n        die(\"sendto\");\n" + FORK),
    ),
    server(
        "waits-for-ever", "a vanished client keeps the server busy",
        "gives_up_clients_that_vanish", "vanished-client",
        ("if (t->limit != t->left && setsockopt(", "if (false && setsockopt("), file=PEER,
    ),
    server(
        "refuses-options", "a request with options is no request to it",
        "serves_curl", "bad-options",
        ("    while (offset < packet->len) {", "    if (offset < packet->len)\n"
         "        return false;\n    while (offset < packet->len) {"), file=PACKETS,
    ),
]

FOLDER = [
    server(
        "dot-dot", "path traversal",
        "never_leaves_its_folder", "path-traversal",
        ('if (strcmp(name, "..") == 0) {', "if (false) {"), file=FILES,
    ),
    server(
        "absolute-paths", "path traversal: an absolute path",
        "never_leaves_its_folder", "path-traversal",
        WITH_OPEN, (OPEN, f"request->name[0] == '/' ? open(request->name, O_RDONLY) : {OPEN}"),
    ),
    server(
        "looks-at-the-beginning-of-a-path", "path traversal: .. in the middle",
        "never_leaves_its_folder", "path-traversal",
        WITH_OPEN,
        (OPEN, 'strncmp(request->name, "..", 2) && request->name[0] != \'/\'\n'
         f"        ? openat(folder, request->name, O_RDONLY) : {OPEN}"),
    ),
    server(
        "knows-no-leading-slash", "a leading / is not FOLDER",
        "begins_at_its_folder", "path-traversal",
        (OPEN, f"(request->name[0] == '/' ? (errno = ENOENT, -1) : {OPEN})"),
    ),
    server(
        "links", "symbolic-link escape",
        "follows_no_link_out_of_its_folder", "symlink-escape",
        ("fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0",
         "fstatat(folder, name, &status, 0) < 0"),
        ("O_RDONLY | O_NOFOLLOW | O_NONBLOCK", "O_RDONLY | O_NONBLOCK"), file=FILES,
    ),
    server(
        "links-to-folders", "symbolic-link escape by a folder on the way",
        "follows_no_link_out_of_its_folder", "symlink-escape",
        WITH_OPEN,
        (OPEN, 'strstr(request->name, "..") == NULL && request->name[0] != \'/\'\n'
         f"        ? openat(folder, request->name, O_RDONLY | O_NOFOLLOW) : {OPEN}"),
    ),
    server(
        "tells-nobody", "a missing file is not told",
        "says_that_there_is_no_such_file", "no-error-told",
        ("    send_packet(t, &t->out, &t->peer);  /* once: nobody acknowledges it */\n", ""),
        file=PEER,
    ),
    server(
        "tells-no-reason", "wrong ERROR code",
        "says_that_there_is_no_such_file", "no-error-told",
        ("{ ENOENT, FILE_NOT_FOUND }", "{ ENOENT, NOT_DEFINED }"), file=PEER,
    ),
    server(
        "takes-base-names-only", "a file in another folder than the one that was asked for",
        "says_that_there_is_no_such_file", "no-error-told",
        (OPEN, "open_file_in(folder, base_name(request->name))"),
    ),
    server(
        "blocks-at-a-fifo", "a FIFO is taken for a file",
        "says_that_there_is_no_such_file", "not-a-file",
        ("    errno = ENOENT;\n    if ((status.st_mode & S_IFMT) != type)\n        return -1;\n",
         ""), ("O_RDONLY | O_NOFOLLOW | O_NONBLOCK", "O_RDONLY | O_NOFOLLOW"), file=FILES,
    ),
]

SAVING = [
    server(
        "writes-without-w", "written to without -w",
        "writes_with_w_only", "anonymous-writes",
        ("if (!served->writing) {", "if (false) {"),
    ),
    server(
        "overwrites", "an old file is overwritten",
        "overwrites_nothing", "file-overwritten",
        ("int old_fd = open_file_in(served->folder, name);", "int old_fd = -1;"),
        ("receive_file(t, &saving, false)", "receive_file(t, &saving, true)"),
    ),
    server(
        "tells-not-that-it-exists", "wrong ERROR code for an old file",
        "overwrites_nothing", "file-overwritten",
        ("{ EEXIST, FILE_EXISTS }", "{ EEXIST, ACCESS_VIOLATION }"), file=PEER,
    ),
    server(
        "looks-once", "two writers of one name: the last one wins",
        "lets_one_of_two_writers_win", "file-overwritten",
        ("receive_file(t, &saving, false)", "receive_file(t, &saving, true)"),
    ),
    server(
        "looks-at-the-beginning-only", "what was made meanwhile is overwritten",
        "overwrites_nothing_that_came_meanwhile", "file-overwritten",
        ("receive_file(t, &saving, false)", "receive_file(t, &saving, true)"),
    ),
    server(
        "keeps-a-temporary-file", "what an ERROR has ended stays under its temporary name",
        "keeps_no_part_of_a_file", "left-over-file",
        KEEPS_TEMPORARY, file=TRANSFER,
    ),
    server(
        "keeps-what-has-come", "cut files kept as whole",
        "keeps_no_part_of_a_file", "cut-file-kept",
        KEEPS_CUT,
        file=TRANSFER,
    ),
    server(
        "does-not-look-at-write", "a full disk is not noticed",
        "says_that_the_disk_is_full", "disk-full",
        FULL_IS_FINE, file=FILES,
    ),
    server(
        "tells-not-that-the-disk-is-full", "wrong ERROR code for a full disk",
        "says_that_the_disk_is_full", "disk-full",
        ("{ ENOSPC, DISK_FULL }", "{ ENOSPC, NOT_DEFINED }"), file=PEER,
    ),
    server(
        "is-silent-where-it-cannot-write", "a read-only folder is not told",
        "says_that_it_cannot_write", "no-error-told",
        ("    if (!begin_new_file(&saving, served, request->name))\n"
         "        return break_off_errno(t);", "    if (!begin_new_file(&saving, served, "
         "request->name))\n        return FAILED;"),
    ),
    server(
        "waits-for-an-empty-block", "last block: only an empty one ends the file",
        "saves_a_file_of_any_size[less-than-a-block]", "partial-file",
        ENDS_AT_0, file=TRANSFER,
    ),
    server(
        "ends-at-a-full-block", "last block of exactly the block size",
        "saves_a_file_of_any_size[full-blocks]", "wrong-block",
        ENDS_AT_2, file=TRANSFER,
    ),
    server(
        "saves-up-to-nul", "data handled as a C string (cut at NUL)",
        "saves_every_byte", "c-string",
        SAVES_UP_TO_NUL, file=TRANSFER,
    ),
    server(
        "writes-a-block-twice", "a block that comes again is written again",
        "writes_each_block_once", "wrong-block",
        WRITES_AGAIN, file=TRANSFER,
    ),
    server(
        "acknowledges-once", "a block that comes again has no ACK",
        "writes_each_block_once", "wrong-block",
        NO_SECOND_ACK, file=TRANSFER,
    ),
    server(
        "leaves-after-the-last-ack", "the last block that comes again has no ACK",
        "writes_each_block_once", "wrong-block",
        ("    if (outcome == DONE)\n        linger(t);\n", ""),
    ),
    server(
        "writes-whatever-comes", "a block out of turn is written",
        "writes_no_block_out_of_turn", "wrong-block",
        WRITES_ANY, file=TRANSFER,
    ),
    server(
        "saves-65535-blocks", "block number wrap: a count of 16 bits",
        "saves_more_than_65535_blocks", "block-wrap",
        COUNTS_16_BITS, file=TRANSFER,
    ),
    server(
        "dies-of-garbage", "a packet that is no DATA ends the process, and its file stays",
        "outlives_garbage_in_a_transfer", "crash",
        ABORTS, file=TRANSFER,
    ),
]

PAIR = [
    pair(
        "swaps-its-buffer", "byte differences at block borders",
        "copies_a_file[get-blocks]", "block-border",
        A_BYTE_AGAIN, file=TRANSFER,
    ),
    pair(
        "acknowledges-twice", "an ACK too many",
        "copies_a_file[put-blocks]", "wrong-block",
        ("    progress->acked = progress->good;\n", "    progress->acked = progress->good;\n"
         "    send_packet(t, &t->out, &t->peer);\n"), file=TRANSFER,
    ),
    pair(
        "is-at-the-loopback-address-only", "`-a` is not obeyed",
        "on_two_hosts[ipv4]", "wrong-address",
        ("            address = optarg;", "            ;"),
    ),
    pair(
        "agrees-once", "no retransmission: a lost OACK is not sent again",
        "agrees_on_options_in_spite_of[get-OACK-lost]", "no-retransmission",
        ("if (!send_packet(t, &t->out, &t->peer) && !t->knows_port)",
         "if (t->repeats == 0 && !send_packet(t, &t->out, &t->peer) && !t->knows_port)"),
        file=PEER,
    ),
    pair(
        "never-sends-again-what-is-lost", "no retransmission",
        "makes_up_for[get-DATA-lost]", "no-retransmission",
        SENDS_ONCE, file=PEER,
    ),
    pair(
        "answers-late-acks", "sorcerer's apprentice (duplicated ACKs doubled)",
        "makes_up_for[get-ACK-late]", "sorcerers-apprentice",
        OLD_ACKS, file=TRANSFER,
    ),
    pair(
        "acknowledges-a-request-once", "no retransmission: a lost ACK 0 is not sent again",
        "makes_up_for[put-ACK-0-lost]", "no-retransmission",
        ("if (!send_packet(t, &t->out, &t->peer) && !t->knows_port)",
         "if (t->repeats == 0 && !send_packet(t, &t->out, &t->peer) && !t->knows_port)"),
        file=PEER,
    ),
    pair(
        "writes-late-blocks", "an old block that comes late is written as the next one",
        "makes_up_for[put-DATA-late]", "wrong-block",
        (NEXT, NEXT.replace("ahead == 0", "ahead == 0 || ahead >= 65530")), file=TRANSFER,
    ),
    pair(
        "writes-over-gaps", "a block behind a lost one is written",
        "keeps_windows_in_spite_of[put-DATA-2-damaged]", "block-border",
        OVER_A_GAP, file=TRANSFER,
    ),
    pair(
        "acknowledges-each-datagram", "ACKs in the middle of a window",
        "copies_a_file[put-windows]", "wrong-block",
        EACH_ACK, file=TRANSFER,
    ),
    pair(
        "loses-the-end-of-a-window", "no retransmission",
        "keeps_windows_in_spite_of[get-DATA-4-lost]", "wrong-block",
        SENDS_ONCE, file=PEER,
    ),
    pair(
        "leaves-at-once", "the last ACK is lost, and not sent again",
        "makes_up_for[put-last-ACK-lost]", "no-retransmission",
        ("    if (outcome == DONE)\n        linger(t);\n", ""),
    ),
    pair(
        "doubles-what-comes-twice", "sorcerer's apprentice (duplicated ACKs doubled)",
        "when_packets_come_twice[get-lockstep]", "sorcerers-apprentice",
        OLD_ACKS, file=TRANSFER,
    ),
    pair(
        "doubles-windows", "a duplicated ACK doubles a window",
        "when_packets_come_twice[get-windows]", "sorcerers-apprentice",
        SAME_ACKS, file=TRANSFER,
    ),
    pair(
        "sends-a-lost-window-whole", "all of the file comes again, not a window",
        "keeps_windows_in_spite_of[get-ACK-4-lost]", "sorcerers-apprentice",
        ("    while (acked < last &&", "    static int again;\n"
         "    while ((acked = acked == 4 && !again++ ? 0 : acked) < last &&"), file=TRANSFER,
    ),
]

CLIENTS = [
    server(
        "dots-anywhere-are-refused", "any name with two dots is refused",
        "takes_dots_for_letters", "no-error-told",
        ("int file_fd = open_file_in(folder, request->name);",
         'int file_fd = strstr(request->name, "..") != NULL ? (errno = EACCES, -1)\n'
         "        : open_file_in(folder, request->name);"),
    ),
    server(
        "tsize-of-16-bits", "the size of a large file is cut",
        "tells_a_large_size", "bad-options",
        ("(unsigned long)file->st_size;", "(unsigned short)file->st_size;"),
    ),
    server(
        "tsize-of-24-bits", "the size of a large file is cut",
        "tells_a_large_size", "bad-options",
        ("(unsigned long)file->st_size;", "(unsigned long)file->st_size & 0xffffff;"),
    ),
    server(
        "timeout-is-told-and-not-kept", "timeout is agreed to, and one second is waited",
        "waits_as_long_as_it_has_agreed_to", "wrong-timeout",
        ("        t->timeout = options->value[TIMEOUT] * 1000;", "        ;"), file=PEER,
    ),
    server(
        "writes-more-than-a-block", "DATA with more than a block has is written",
        "saves_no_more_of_a_block_than_it_may_have", "unbounded",
        TOO_MUCH, file=TRANSFER,
    ),
    server(
        "a-port-once-only", "who has asked from a port for a file never gets it there again",
        "serves_a_client_that_keeps_its_port", "one-client-only",
        ("        if (is_running(i) && !heard[i]\n",
         "        if (running[i].client.ss_family != AF_UNSPEC\n"),
    ),
    server(
        "takes-hosts-for-one", "clients are told apart by their ports alone",
        "tells_hosts_apart", "too-few-clients",
        ("            && is_same_host(&running[i].client, &asked->client)\n", ""),
    ),
    server(
        "nobody-may-read-what-is-written", "a new file has mode 0",
        "serves_what_was_written_to_it", "no-error-told",
        ("O_WRONLY | O_CREAT | O_EXCL, 0666);", "O_WRONLY | O_CREAT | O_EXCL, 0);"), file=FILES,
    ),
    server(
        "counts-all-retransmissions", "retransmissions are not counted anew for each block",
        "gives_up_clients_that_vanish", "wrong-retries",
        COUNTS_ALL, file=TRANSFER,
    ),
    pair(
        "put-ends-at-the-first-silence", "no second wait for a block",
        "makes_up_for[put-DATA-lost-twice]", "no-retransmission",
        ONE_SILENCE, file=TRANSFER,
    ),
]

KNOWN_WRONG = [*COMMAND_LINE, *REQUESTS, *OPTIONS, *SENDING, *WINDOWS, *PORTS, *FOLDER, *SAVING,
               *PAIR, *CLIENTS]
