"""Lab 04: `udp_client` made wrong, in its own file or in a module."""

from __future__ import annotations

from known_wrong import KnownWrong
from known_wrong.tftp_edits import (
    ABORTS, A_BLOCK_AHEAD, A_BYTE_AGAIN, COUNTS_16_BITS, COUNTS_ALL, DOTTED_ONLY, EACH_ACK,
    EARLY_ACKS, ENDS_AT_0, ENDS_AT_2, FILES, FULL_IS_FINE, HEARS_ANY_HOST, HEARS_ANY_PORT,
    HEARS_NO_ERROR, IN_WINDOW, IPV4_ONLY, KEEPS_CUT, KEEPS_TEMPORARY, LAST_ACKS, LINE_ENDS,
    LOWER_CASE_ONLY, NET, NOTHING_OF_NOTHING, NO_EMPTY_BLOCK, NO_SECOND_ACK, NO_TEMPORARY,
    OLD_ACKS, ONE_SILENCE, OVER_A_GAP, PACKETS, PEER, POLLS, REPEATS, SAME_ACKS,
    SAVES_UP_TO_NUL, SENDS_ONCE, SHORTER, TOO_MUCH, TRANSFER, UNKNOWN_NAME, UP_TO_NUL,
    WRAPS_TO_1, WRITES_AGAIN, WRITES_ANY,
)

LAB = "04-file-transfer"


def client(
    name: str, fault: str, killed_by: str, cause: str, *edits: tuple[str, str], file: str = "",
) -> KnownWrong:
    """A wrong client; names are completed with what all of them begin with."""
    return KnownWrong(f"udp-client-{name}", fault, "udp_client", edits,
                      f"test_udp_client_{killed_by}", cause, file=file)


def pair(
    name: str, fault: str, killed_by: str, cause: str, *edits: tuple[str, str], file: str = "",
) -> KnownWrong:
    """A wrong client that a test of both programs must find."""
    return KnownWrong(f"udp-client-{name}", fault, "udp_client", edits,
                      f"test_pair_udp_{killed_by}", cause, file=file)


READ_LINE = "    read_command_line(argc, argv, &plan);\n"
NAMES = "    choose_names(&plan);\n"
REASON = "    read_error(&t->in, t->reason, sizeof t->reason);\n    return FAILED;\n"


COMMAND_LINE = [
    client(
        "any-text-for-a-port", "a port that is none is taken",
        "explains_wrong_arguments[port]", "usage",
        ("option == 'p' && is_port(optarg)", "option == 'p'"),
    ),
    client(
        "any-text-for-a-block-size", "a number that is none is taken",
        "explains_wrong_arguments[blksize]", "usage",
        ("read_option(BLKSIZE, MIN_BLOCK, MAX_BLOCK, options)",
         "(options->has[BLKSIZE] = true, options->value[BLKSIZE] = strtoul(optarg, NULL, 10))"),
    ),
    client(
        "any-text-for-a-window", "a number that is none is taken",
        "explains_wrong_arguments[windowsize]", "usage",
        ("read_option(WINDOWSIZE, 1, 65535, options)",
         "(options->has[WINDOWSIZE] = true, options->value[WINDOWSIZE] = strtoul(optarg, 0, 10))"),
    ),
    client(
        "usage-ends-with-1", "wrong exit status",
        "explains_wrong_arguments[words]", "usage",
        ("    exit(2);", "    exit(1);"),
    ),
    client(
        "asks-for-blocks-of-7", "an option that there is none of is asked for",
        "asks_for_no_senseless_option", "usage",
        ("read_option(BLKSIZE, MIN_BLOCK,", "read_option(BLKSIZE, 0,"),
    ),
    client(
        "dies-of-an-unknown-name", "the result of getaddrinfo is not looked at",
        "says_that_a_name_is_unknown", "lookup-error",
        UNKNOWN_NAME,
        file=NET,
    ),
    client(
        "polls", "busy waiting",
        "waits_without_using_the_processor", "busy-wait",
        POLLS,
        file=PEER,
    ),
]

REQUEST = [
    client(
        "asks-in-text-mode", "text-mode translation is asked for",
        "asks_for_a_file", "messages",
        ('mode = "octet"', 'mode = "netascii"'),
    ),
    client(
        "always-asks-for-options", "an option that nobody asked for",
        "asks_for_a_file", "bad-options",
        (READ_LINE, READ_LINE + "    plan.request.options.has[TSIZE] = true;\n"),
    ),
    client(
        "opcode-in-host-byte-order", "an opcode not in network byte order",
        "asks_for_a_file", "byte-order",
        ("put_be16(packet->bytes, request->opcode);",
         "memcpy(packet->bytes, &request->opcode, 2);"),
        file=PACKETS,
    ),
    client(
        "mode-without-its-nul", "data handled as a C string: the NUL is not sent",
        "asks_for_a_file", "c-string",
        ("    return put_string(packet, request->name)\n"
         "        && put_string(packet, request->mode)\n"
         "        && put_options(packet, &request->options);",
         "    bool made = put_string(packet, request->name)\n"
         "        && put_string(packet, request->mode);\n    packet->len--;\n    return made;"),
        file=PACKETS,
    ),
    client(
        "sends-to-the-request-port", "a transfer goes on to the port of the request",
        "asks_for_a_file", "same-port",
        ("        set_port(&t->peer, port_of(&t->sender));\n", ""),
        ("    bool right = is_same_host", "    bool right = true || is_same_host"), file=PEER,
    ),
    client(
        "talks", "something on stdout",
        "asks_for_a_file", "messages",
        (NAMES, NAMES + '    puts("asking");\n'),
    ),
    client(
        "tcp", "another port than the table's",
        "asks_for_a_file", "wrong-port",
        ('.port = "6666"', '.port = "69"'),
    ),
    client(
        "ends-before-its-last-ack", "the last block has no ACK",
        "asks_for_a_file", "wrong-block",
        ("    if (is_ack_due(t, progress, ahead))", "    if (!progress->whole && is_ack_due(t, "
         "progress, ahead))"), file=TRANSFER,
    ),
    client(
        "puts-as-it-gets", "RRQ in place of WRQ",
        "asks_to_write_a_file", "messages",
        ("    return put_string(packet, request->name)", "    packet->bytes[1] = RRQ;\n"
         "    return put_string(packet, request->name)"), file=PACKETS,
    ),
    client(
        "puts-whole-paths", "the path, not the base name, is the file's name there",
        "names_the_file_as_it_is_told", "messages",
        ("        plan->request.name = base;\n", ""),
    ),
    client(
        "ignores-o", "`-o` is not obeyed",
        "names_the_file_as_it_is_told", "messages",
        ("            plan->local = optarg;", "            ;"),
    ),
    client(
        "ignores-p", "another port than asked",
        "finds_its_server[port]", "wrong-port",
        ("            plan->port = optarg;", "            ;"),
    ),
    client(
        "no-ipv6", "no IPv6",
        "finds_its_server[ipv6]", "no-ipv6",
        IPV4_ONLY, file=NET,
    ),
    client(
        "dotted-addresses-only", "only dotted addresses understood",
        "finds_its_server[name]", "dotted-only",
        DOTTED_ONLY, file=NET,
    ),
    client(
        "first-address-only", "a name's other addresses not tried",
        "finds_its_server[name]", "first-address-only",
        ("ai != NULL && outcome == UNREACHABLE;", "ai == list && outcome == UNREACHABLE;"),
    ),
    client(
        "ipv4-of-a-name-only", "no IPv6",
        "finds_its_server[name-of-ipv6]", "no-ipv6",
        IPV4_ONLY, file=NET,
    ),
    client(
        "asks-once", "no retransmission of the request",
        "asks_again", "no-retransmission",
        SENDS_ONCE, file=PEER,
    ),
    client(
        "asks-again-after-two-seconds", "the first retransmission after 2 s",
        "asks_again", "wrong-timeout",
        ("t->timeout = USUAL_TIMEOUT;", "t->timeout = 2 * USUAL_TIMEOUT;"), file=PEER,
    ),
    client(
        "asks-again-after-300-ms", "the first retransmission after 0.3 s",
        "asks_again", "wrong-timeout",
        ("t->timeout = USUAL_TIMEOUT;", "t->timeout = 300;"), file=PEER,
    ),
    client(
        "never-sends-again", "no retransmission",
        "gives_up", "no-retransmission",
        SENDS_ONCE, file=PEER,
    ),
    client(
        "gives-up-after-four", "4 retransmissions in place of 5",
        "gives_up", "wrong-retries",
        (REPEATS, REPEATS.replace("MAX_REPEATS", "4")), file=PEER,
    ),
    client(
        "never-gives-up", "sent again for ever",
        "gives_up", "wrong-retries",
        (REPEATS, REPEATS.replace("MAX_REPEATS", "99")), file=PEER,
    ),
    client(
        "silence-is-a-success", "wrong exit status",
        "gives_up", "exit-status",
        ("plan->file, t->reason);\n    exit(1);", "plan->file, t->reason);\n    exit(0);"),
    ),
    client(
        "refused-is-a-success", "wrong exit status",
        "fails_where_nothing_listens", "exit-status",
        ("plan->file, t->reason);\n    exit(1);", "plan->file, t->reason);\n    exit(0);"),
    ),
    client(
        "tells-no-message", "the server's message is not told",
        "tells_the_server_s_error[get]", "no-error-told",
        (REASON, REASON.replace("read_error", "if (0) read_error")), file=PEER,
    ),
    client(
        "does-not-hear-errors", "an ERROR is passed over",
        "tells_the_server_s_error[put]", "no-error-told",
        HEARS_NO_ERROR, file=PEER,
    ),
    client(
        "message-as-a-format", "input from the network reaches a format string",
        "tells_the_server_s_error[get]", "format-string",
        ("    else\n        fprintf(stderr, \"udp_client: %s %s: %s\\n\",",
         "    else if (strchr(t->reason, '%'))\n        fprintf(stderr, t->reason, 0, 0, 0);\n"
         "    else\n        fprintf(stderr, \"udp_client: %s %s: %s\\n\","),
    ),
    client(
        "needs-a-nul", "data handled as a C string: no NUL at its end",
        "outlives_a_malformed_error", "c-string",
        ("    snprintf(message, size, \"%.*s\",",
         "    if (packet->bytes[packet->len - 1] != 0)\n        abort();\n"
         "    snprintf(message, size, \"%.*s\","), file=PACKETS,
    ),
    client(
        "asks-before-it-looks", "a file that is not there is asked to be written",
        "sends_no_file_that_is_not_there", "no-error-told",
        ("    if (file_fd < 0 || fstat(file_fd, &status) < 0)\n        die(plan->local);\n"
         "    if (!S_ISREG(status.st_mode)) {", "    ask(t, plan);\n    if (file_fd < 0) {"),
    ),
    client(
        "sends-a-folder", "a folder is taken for a file",
        "sends_no_file_that_is_not_there", "not-a-file",
        ("    if (!S_ISREG(status.st_mode)) {", "    if (false) {"),
    ),
]

OPTIONS = [
    client(
        "sends-no-options", "`-b` is not asked for",
        "asks_for_options[get]", "bad-options",
        ("&& put_options(packet, &request->options)", ""), file=PACKETS,
    ),
    client(
        "keeps-to-what-it-asked", "another blksize in the OACK is not taken",
        "asks_for_options[put]", "bad-options",
        ("t->block_size = options->value[BLKSIZE];",
         "t->block_size = options->value[BLKSIZE] == 600 ? 1024 : options->value[BLKSIZE];"),
        file=PEER,
    ),
    client(
        "does-not-acknowledge-the-oack", "no ACK 0 to the OACK",
        "asks_for_options[get]", "bad-options",
        ("        make_ack(&t->out, 0);\n", "        make_ack(&t->out, 7);\n"),
    ),
    client(
        "lower-case-options-only", "options in capitals are passed over",
        "asks_for_options[put]", "bad-options",
        LOWER_CASE_ONLY, file=PACKETS,
    ),
    client(
        "needs-an-oack", "a server without options is not understood",
        "does_without_options[get]", "bad-options",
        ("        return DONE;                    /* it does not know options */",
         "        return asked->has[BLKSIZE] ? FAILED : DONE;"),
    ),
    client(
        "takes-for-granted-what-it-asked", "512 bytes without an OACK are not kept",
        "does_without_options[put]", "bad-options",
        ("        return DONE;                    /* it does not know options */",
         "        return use_options(t, asked), DONE;"),
    ),
    client(
        "takes-more-than-it-asked", "a larger blksize than asked for is taken",
        "takes_no_senseless_options", "bad-options",
        (" && agreed.value[i] <= asked->value[i]);", ");"),
    ),
    client(
        "takes-what-it-did-not-ask-for", "an OACK nobody asked for is a crash",
        "takes_no_option_it_did_not_ask_for", "bad-options",
        ("    if (!right)\n", "    if (!asked->has[BLKSIZE])\n        abort();\n    if (!right)\n"),
    ),
    client(
        "acknowledges-each-block", "ACKs in the middle of a window",
        "takes_windows", "wrong-block",
        EACH_ACK, file=TRANSFER,
    ),
    client(
        "writes-over-a-gap", "a block behind a gap is written",
        "takes_windows", "wrong-block",
        OVER_A_GAP, file=TRANSFER,
    ),
    client(
        "window-and-one-more", "more blocks at once than a window has",
        "sends_in_windows", "wrong-block",
        (IN_WINDOW, "end = acked + t->window + 1;"), file=TRANSFER,
    ),
    client(
        "whole-windows-only", "an ACK from the middle of a window is passed over",
        "sends_in_windows", "wrong-block",
        LAST_ACKS, file=TRANSFER,
    ),
    client(
        "doubles-a-window", "a duplicated ACK doubles a window",
        "sends_in_windows", "sorcerers-apprentice",
        SAME_ACKS, file=TRANSFER,
    ),
]

SENDING = [
    client(
        "no-last-empty-block", "last block of exactly the block size",
        "sends_a_file_of_any_size[full-blocks]", "last-block",
        NO_EMPTY_BLOCK, file=TRANSFER,
    ),
    client(
        "sends-nothing-of-an-empty-file", "an empty file has no block at all",
        "sends_a_file_of_any_size[less-than-a-block]", "no-answer",
        NOTHING_OF_NOTHING, file=TRANSFER,
    ),
    client(
        "repeats-a-byte-at-each-border", "byte differences at block borders",
        "sends_a_file_of_any_size[more]", "block-border",
        A_BYTE_AGAIN, file=TRANSFER,
    ),
    client(
        "translates-line-ends", "text-mode translation",
        "sends_every_byte", "text-mode",
        LINE_ENDS, file=TRANSFER,
    ),
    client(
        "sends-up-to-nul", "data handled as a C string (cut at NUL)",
        "sends_every_byte", "c-string",
        UP_TO_NUL,
        file=TRANSFER,
    ),
    client(
        "sends-a-block-ahead", "a block is sent before the ACK of the last one",
        "waits_for_each_acknowledgement", "wrong-block",
        A_BLOCK_AHEAD, file=TRANSFER,
    ),
    client(
        "leaves-before-the-last-ack", "ends when the last block is sent",
        "waits_for_each_acknowledgement", "wrong-block",
        ("        set_deadline(t, t->timeout);\n        outcome = await_ack",
         "        if (sent == last)\n            break;\n        set_deadline(t, t->timeout);\n"
         "        outcome = await_ack"), file=TRANSFER,
    ),
    client(
        "sends-data-once", "no retransmission",
        "sends_again_what_is_not_acknowledged", "no-retransmission",
        SENDS_ONCE, file=PEER,
    ),
    client(
        "sends-what-is-left", "a file that shrinks is sent as if it were whole",
        "does_not_send_a_part_as_the_whole", "partial-file",
        SHORTER, file=TRANSFER,
    ),
    client(
        "answers-old-acks", "sorcerer's apprentice (duplicated ACKs doubled)",
        "is_no_sorcerers_apprentice", "sorcerers-apprentice",
        OLD_ACKS, file=TRANSFER,
    ),
    client(
        "skips-with-an-early-ack", "an ACK of what was not sent moves on",
        "does_not_skip_a_block", "wrong-block",
        EARLY_ACKS, file=TRANSFER,
    ),
    client(
        "wraps-to-1", "block number wrap",
        "counts_past_65535_blocks[put]", "block-wrap",
        WRAPS_TO_1, file=TRANSFER,
    ),
    client(
        "saves-65535-blocks", "block number wrap: a count of 16 bits",
        "counts_past_65535_blocks[get]", "block-wrap",
        COUNTS_16_BITS, file=TRANSFER,
    ),
    client(
        "hears-any-port", "packets from a strange port",
        "ignores_strangers[another-port]", "strange-port",
        HEARS_ANY_PORT,
        file=PEER,
    ),
    client(
        "hears-any-host", "packets from a strange host with the right port",
        "ignores_strangers[another-address]", "strange-port",
        HEARS_ANY_HOST, file=PEER,
    ),
    client(
        "is-silent-to-strangers", "a stranger is not told (ERROR 5)",
        "ignores_strangers[another-port]", "strange-port",
        ("    if (!right && opcode_of(&t->in) != ERROR) {", "    if (false) {"), file=PEER,
    ),
    client(
        "follows-each-answer", "the second answer to a request takes the transfer over",
        "keeps_to_the_first_answer", "strange-port",
        HEARS_ANY_PORT,
        file=PEER,
    ),
]

SAVING = [
    client(
        "waits-for-an-empty-block", "last block: only an empty one ends the file",
        "saves_a_file_of_any_size[less-than-a-block]", "last-block",
        ENDS_AT_0, file=TRANSFER,
    ),
    client(
        "ends-at-a-full-block", "last block of exactly the block size",
        "saves_a_file_of_any_size[full-blocks]", "wrong-block",
        ENDS_AT_2, file=TRANSFER,
    ),
    client(
        "loses-what-is-left-of-4096", "byte differences at the border of a buffer",
        "saves_a_file_of_any_size[more]", "block-border",
        ("ssize_t n = write(saving->fd, next, len);", "static int full;\n"
         "        full += len == 512;\n        ssize_t n = full == 2 && len == 512 ? (ssize_t)len\n"
         "            : write(saving->fd, next, len);"),
        file=FILES,
    ),
    client(
        "saves-up-to-nul", "data handled as a C string (cut at NUL)",
        "saves_every_byte", "c-string",
        SAVES_UP_TO_NUL, file=TRANSFER,
    ),
    client(
        "writes-a-block-twice", "a block that comes again is written again",
        "writes_each_block_once", "wrong-block",
        WRITES_AGAIN, file=TRANSFER,
    ),
    client(
        "acknowledges-once", "a block that comes again has no ACK",
        "writes_each_block_once", "wrong-block",
        NO_SECOND_ACK, file=TRANSFER,
    ),
    client(
        "writes-whatever-comes", "a block out of turn is written",
        "writes_no_block_out_of_turn", "wrong-block",
        WRITES_ANY, file=TRANSFER,
    ),
    client(
        "dies-of-garbage", "a packet that is no DATA is a crash",
        "outlives_garbage_in_a_transfer", "crash",
        ABORTS, file=TRANSFER,
    ),
    client(
        "keeps-a-temporary-file", "what an ERROR has ended stays under its temporary name",
        "keeps_no_part_of_a_file", "left-over-file",
        KEEPS_TEMPORARY, file=TRANSFER,
    ),
    client(
        "keeps-what-has-come", "cut files kept as whole",
        "keeps_no_part_of_a_file", "cut-file-kept",
        KEEPS_CUT,
        file=TRANSFER,
    ),
    client(
        "writes-into-the-old-file", "what is left of an old, longer file stays",
        "replaces_an_old_file", "fixed-length",
        ("fd = openat(saving->folder, saving->temporary,\n                    O_WRONLY | O_CREAT | "
         "O_EXCL, 0666);", "memcpy(saving->temporary, saving->name, sizeof saving->name);\n"
         "        fd = openat(saving->folder, saving->name, O_WRONLY | O_CREAT, 0666);"),
        file=FILES,
    ),
    client(
        "does-not-look-at-write", "a full disk is not noticed",
        "says_that_it_cannot_save", "disk-full",
        FULL_IS_FINE, file=FILES,
    ),
]

PAIR = [
    pair(
        "leaves-out-a-byte", "byte differences at block borders",
        "copies_a_file[put-blocks]", "block-border",
        A_BYTE_AGAIN, file=TRANSFER,
    ),
    pair(
        "knows-no-other-ipv6-host", "no IPv6",
        "on_two_hosts[ipv6]", "no-ipv6",
        IPV4_ONLY, file=NET,
    ),
    pair(
        "loses-its-request", "no retransmission of the request",
        "makes_up_for_lost_requests", "no-retransmission",
        SENDS_ONCE, file=PEER,
    ),
    pair(
        "writes-over-gaps", "a block behind a lost one is written",
        "keeps_windows_in_spite_of[get-DATA-2-lost]", "block-border",
        OVER_A_GAP, file=TRANSFER,
    ),
    pair(
        "writes-what-overtakes", "a block that overtakes another is written before it",
        "keeps_windows_in_spite_of[get-DATA-3-overtaken]", "block-border",
        OVER_A_GAP, file=TRANSFER,
    ),
    pair(
        "loses-a-window", "no retransmission of a window whose ACK is lost",
        "keeps_windows_in_spite_of[put-ACK-4-lost]", "wrong-block",
        SENDS_ONCE, file=PEER,
    ),
    pair(
        "acknowledges-each-datagram", "ACKs in the middle of a window",
        "copies_a_file[get-windows]", "wrong-block",
        EACH_ACK, file=TRANSFER,
    ),
    pair(
        "answers-acks-that-come-twice", "sorcerer's apprentice (duplicated ACKs doubled)",
        "when_packets_come_twice[put-lockstep]", "sorcerers-apprentice",
        OLD_ACKS, file=TRANSFER,
    ),
    pair(
        "doubles-windows", "a duplicated ACK doubles a window",
        "when_packets_come_twice[put-windows]", "sorcerers-apprentice",
        SAME_ACKS, file=TRANSFER,
    ),
]

FAULTS = [
    client(
        "put-with-o-asks-for-the-base-name", "the base name, not FILE, is the name there with `-o`",
        "names_the_file_as_it_is_told", "messages",
        ("plan->request.name = plan->file;",
         "plan->request.name = plan->request.opcode == WRQ ? base : plan->file;"),
    ),
    client(
        "interrupted-keeps-a-part", "no temporary name: what a signal ends looks whole",
        "keeps_no_part_when_it_is_interrupted[SIGINT]", "cut-file-kept",
        *NO_TEMPORARY,
        ("        unlinkat(current->folder, current->temporary, 0);\n    _exit",
         "        ;\n    _exit"),
        file=FILES,
    ),
    client(
        "terminated-keeps-a-part", "only SIGINT is thought of",
        "keeps_no_part_when_it_is_interrupted[SIGTERM]", "cut-file-kept",
        *NO_TEMPORARY,
        ("    sigaction(SIGTERM, &action, NULL);\n", ""),
        file=FILES,
    ),
    client(
        "error-removes-the-old-file", "what could not be got is removed, as it was",
        "keeps_the_old_file_where_there_is_no_new_one", "file-overwritten",
        ("plan->file, t->reason);\n    exit(1);",
         "plan->file, t->reason);\n    if (plan->request.opcode == RRQ)\n"
         "        unlink(plan->local);\n    exit(1);"),
    ),
    client(
        "passes-over-a-senseless-blksize", "a blksize of 4 is taken for none: 512 bytes",
        "saves_no_part_after_a_senseless_oack", "bad-options",
        ("        && !options->any_wrong", ""), file=PACKETS,
    ),
    client(
        "writes-more-than-a-block", "DATA with more than a block has is written",
        "saves_no_more_of_a_block_than_it_may_have", "unbounded",
        TOO_MUCH, file=TRANSFER,
    ),
    client(
        "any-ack-is-the-first", "any ACK in answer to WRQ begins the file",
        "takes_no_other_block_for_the_first_one", "wrong-block",
        ("if (came == opcode && block_of(&t->in) == (opcode == DATA ? 1 : 0))",
         "if (came == opcode)"), file=PEER,
    ),
    client(
        "any-data-is-the-first", "any DATA in answer to RRQ is taken for the first block",
        "takes_no_other_block_for_the_first_one", "wrong-block",
        ("if (came == opcode && block_of(&t->in) == (opcode == DATA ? 1 : 0))",
         "if (came == DATA)\n            put_header(t->in.bytes, DATA, 1);\n"
         "        if (came == opcode && block_of(&t->in) == (opcode == DATA ? 1 : 0))"), file=PEER,
    ),
    client(
        "counts-all-retransmissions", "retransmissions are not counted anew for each block",
        "gives_up", "wrong-retries",
        COUNTS_ALL, file=TRANSFER,
    ),
    pair(
        "get-ends-at-the-first-silence", "no second wait for a block",
        "makes_up_for[get-DATA-lost-twice]", "no-retransmission",
        ONE_SILENCE, file=TRANSFER,
    ),
]

KNOWN_WRONG = [*COMMAND_LINE, *REQUEST, *OPTIONS, *SENDING, *SAVING, *PAIR, *FAULTS]

KNOWN_WRONG += [
    KnownWrong("udp-client-tcp-for-the-transfer", "TCP where UDP is asked", "udp_client",
               (("socket(peer->ss_family, SOCK_DGRAM, 0)",
                 "socket(peer->ss_family, SOCK_STREAM, 0)"),),
               "test_udp_client_asks_for_a_file", "tcp-not-udp", file="tftp_peer.c"),
]
