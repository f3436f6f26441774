"""Lab 01: hello_server.c and prompt_server.c made wrong, also in what net.c does for them."""

from __future__ import annotations

from known_wrong import KnownWrong

LAB = "01-tcp-echo"


def hello(
    name: str, fault: str, killed_by: str, cause: str, *edits: tuple[str, str],
    base: str = "", file: str = "",
) -> KnownWrong:
    """A wrong hello_server; names are completed with what all of them begin with."""
    return KnownWrong(f"hello_server-{name}", fault, "hello_server", edits, f"test_{killed_by}",
                      cause, base, file)


def prompt(
    name: str, fault: str, killed_by: str, cause: str, *edits: tuple[str, str],
    base: str = "", file: str = "",
) -> KnownWrong:
    """A wrong prompt_server."""
    return KnownWrong(f"prompt_server-{name}", fault, "prompt_server", edits, f"test_{killed_by}",
                      cause, base, file)


SHUTDOWN = "if (shutdown(conn_fd, SHUT_WR) == 0) {"
CLOSE = "    if (close(conn_fd) < 0)\n        complain(\"close\");"
LINGER_0 = ("    struct linger now_or_never = { 1, 0 };\n"
            "    setsockopt(conn_fd, SOL_SOCKET, SO_LINGER, &now_or_never, "
            "sizeof now_or_never);\n")

HELLOS = [
    hello(
        "at-port-80", "another port than the table's",
        "closer_listens_at_its_own_port[hello_server]", "wrong-port",
        ('*port = "8000"', '*port = "80" "80"'),
    ),
    hello(
        "open-to-the-network", "listens on 0.0.0.0 when it is not told where",
        "closer_listens_at_its_own_port[hello_server]", "wrong-address",
        ('*address = "127.0.0.1"', '*address = "0.0.0.0"'),
    ),
    hello(
        "dotted-addresses-only", "only dotted addresses understood",
        "closer_understands_a_name[hello_server]", "dotted-only",
        ("AI_PASSIVE | AI_NUMERICSERV", "AI_PASSIVE | AI_NUMERICSERV | AI_NUMERICHOST"),
        file="net.c",
    ),
    hello(
        "no-ipv6", "no IPv6",
        "closer_serves_ipv6[hello_server]", "no-ipv6",
        (".ai_family = AF_UNSPEC,       /* IPv4 or IPv6 */", ".ai_family = AF_INET,"),
        file="net.c",
    ),
    hello(
        "strips-line-ends", "a line end is cut off that is not a newline alone",
        "hello_server_prints_its_message[CRLF]", "messages",
        ("    fwrite(message, 1, len, stdout);\n",
         "    while (len > 1 && strchr(\"\\r\\n\", message[len - 1]) != NULL)\n"
         "        len--;\n    fwrite(message, 1, len, stdout);\n"),
    ),
    hello(
        "no-reuseaddr", "no `SO_REUSEADDR`",
        "closer_can_be_started_again_at_once[hello_server]", "no-reuseaddr",
        ("SOL_SOCKET, SO_REUSEADDR,", "SOL_SOCKET, SO_KEEPALIVE,"),
        file="net.c",
    ),
    hello(
        "other-answer", "the answer is not the table's",
        "closer_answers_and_closes_first[hello_server]", "messages",
        ("Hello, you are connected!\\n", "Hello, you are connected!"),
    ),
    hello(
        "answers-at-once", "answers before the message was read",
        "closer_waits_for_its_client[hello_server]", "messages",
        ("    do\n        n = recv(", "    send_all(conn_fd, answer, strlen(answer));\n"
         "    do\n        n = recv("),
        ("if (send_all(conn_fd, answer, strlen(answer)) < 0)", "if (false)"),
    ),
    hello(
        "never-answers", "no answer",
        "closer_answers_and_closes_first[hello_server]", "messages",
        ("if (send_all(conn_fd, answer, strlen(answer)) < 0)", "if (false)"),
    ),
    hello(
        "waits-for-a-full-buffer", "one read of a fixed length",
        "closer_answers_and_closes_first[hello_server]", "no-answer",
        ("sizeof message, 0)", "sizeof message, MSG_WAITALL)"),
    ),
    hello(
        "waits-for-a-newline", "more is waited for than the first read",
        "hello_server_prints_its_message[no-newline]", "no-answer",
        ("    if (n > 0) {", "    while (n > 0 && message[n - 1] != '\\n')\n"
         "        n += recv(conn_fd, message + n, 100, 0);\n    if (n > 0) {"),
    ),
    hello(
        "waits-for-the-end-of-file", "more is waited for than the first read",
        "closer_answers_and_closes_first[hello_server]", "no-answer",
        ("    if (n > 0) {", "    while (n > 0 && recv(conn_fd, message + n, 100, 0) > 0)\n"
         "        ;\n    if (n > 0) {"),
    ),
    hello(
        "cuts-at-nul", "data handled as a C string (cut at NUL)",
        "hello_server_prints_every_byte_value", "c-string",
        ("fwrite(message, 1, len, stdout);", 'printf("%.*s", (int)len, message);'),
    ),
    hello(
        "prints-its-whole-buffer", "`sizeof` printed instead of the bytes read",
        "hello_server_prints_its_message[line]", "messages",
        ("print_message(message, (size_t)n);", "print_message(message, sizeof message);"),
        ("char message[MESSAGE_SIZE];", 'char message[MESSAGE_SIZE] = "";'),
    ),
    hello(
        "prints-what-clients-wish", "input from the network is a format string",
        "hello_server_takes_no_message_for_a_format", "format-string",
        ("fwrite(message, 1, len, stdout);", "char text[5000] = \"\";\n"
         "    memcpy(text, message, len);\n    printf(text);"),
    ),
    hello(
        "adds-no-newline", "no newline after a message without one",
        "hello_server_prints_its_message[no-newline]", "messages",
        ("if (message[len - 1] != '\\n')", "if (false)"),
    ),
    hello(
        "always-adds-a-newline", "a newline after a message that has one",
        "hello_server_prints_its_message[line]", "messages",
        ("if (message[len - 1] != '\\n')", "if (true)"),
    ),
    hello(
        "stdout-not-flushed", "stdout not flushed",
        "hello_server_prints_its_message[line]", "stdout-not-flushed",
        ("if (fflush(stdout) == EOF)", "if (ferror(stdout))"),
    ),
    hello(
        "prints-nothing-as-a-message", "a line for a client that sends nothing",
        "hello_server_prints_nothing_of_a_client_that_says_nothing", "messages",
        ("    if (n > 0) {", "    if (n == 0)\n        print_message(\"\\n\", 1);\n"
         "    if (n > 0) {"),
    ),
    hello(
        "prints-all-that-comes", "what comes after the first read is printed",
        "hello_server_answers_what_came_first", "messages",
        ("    close_first(conn_fd, PATIENCE);", "    shutdown(conn_fd, SHUT_WR);\n"
         "    while ((n = recv(conn_fd, message, sizeof message, 0)) > 0)\n"
         "        print_message(message, (size_t)n);\n    close_first(conn_fd, PATIENCE);"),
    ),
    hello(
        "reads-4096-bytes", "more read than the table says",
        "hello_server_cuts_a_message_that_is_too_long", "messages",
        ("MESSAGE_SIZE = 4095", "MESSAGE_SIZE = 4096"),
    ),
    hello(
        "reads-1024-bytes", "a long message is cut",
        "hello_server_prints_a_long_message", "messages",
        ("MESSAGE_SIZE = 4095", "MESSAGE_SIZE = 1024"),
    ),
    hello(
        "leaves-the-rest-unread", "closed with input unread (RST)",
        "hello_server_cuts_a_message_that_is_too_long", "unread-input-rst",
        (SHUTDOWN, "if (seconds < 0) {"),
        file="net.c",
    ),
    hello(
        "closes-with-input-unread", "closed with input unread (RST)",
        "closer_takes_more_than_it_asked_for[hello_server]", "unread-input-rst",
        ("    close_first(conn_fd, PATIENCE);", "    close(conn_fd);"),
    ),
    hello(
        "closes-right-away", "its FIN sent, the connection is given up",
        "closer_reads_on_after_its_fin[hello_server]", "closes-both",
        ("now() + seconds * 1000LL", "now() - seconds * 1000LL"),
        file="net.c",
    ),
    hello(
        "shuts-both-directions", "closes both directions too early",
        "closer_reads_on_after_its_fin[hello_server]", "closes-both",
        (SHUTDOWN, "if (shutdown(conn_fd, SHUT_RDWR) == 0) {"),
        file="net.c",
    ),
    hello(
        "waits-for-the-client-to-close", "the client closes first",
        "closer_answers_and_closes_first[hello_server]", "first-closer",
        (SHUTDOWN, "if (conn_fd >= 0) {"),
        file="net.c",
    ),
    hello(
        "linger-0", "`SO_LINGER` 0 (RST)",
        "closer_answers_and_closes_first[hello_server]", "linger-rst",
        ("    close_first(conn_fd, PATIENCE);", LINGER_0 + "    close(conn_fd);"),
    ),
    hello(
        "never-closes", "descriptor never closed (no FIN)",
        "closer_keeps_nothing_of_its_clients[hello_server]", "descriptor-leak",
        ("    close_first(conn_fd, PATIENCE);", ""),
    ),
    hello(
        "shuts-down-but-never-closes", "descriptor never closed (leak)",
        "closer_keeps_nothing_of_its_clients[hello_server]", "descriptor-leak",
        (CLOSE, "    if (conn_fd < 0)\n        complain(\"close\");"),
        file="net.c",
    ),
    hello(
        "leaks-after-a-reset", "a descriptor stays open for each reset",
        "closer_outlives_a_reset[hello_server]", "descriptor-leak",
        ("        complain(\"recv\");", "        complain(\"recv\"), dup(conn_fd);"),
    ),
    hello(
        "threads-never-end", "a thread for each client stays",
        "closer_keeps_nothing_of_its_clients[hello_server]", "left-over-thread",
        ("    close_first(conn_fd, PATIENCE);\n", "    close_first(conn_fd, PATIENCE);\n"
         "    for (;;)\n        pause();\n"),
    ),
    hello(
        "leaves-zombies", "zombie children",
        "closer_keeps_nothing_of_its_clients[hello_server]", "zombie-children",
        ("signal(SIGCHLD, SIG_IGN);", ""), base="hello_server-fork",
    ),
    hello(
        "leaves-its-children", "left-over child",
        "closer_ends_while_its_client_is_silent[hello_server-SIGTERM]", "left-over-process",
        ("prctl(PR_SET_PDEATHSIG, SIGKILL);", ""), base="hello_server-fork",
    ),
    hello(
        "one-client-at-a-time", "an idle client blocks the others",
        "hello_server_lets_nobody_wait_for_a_silent_client", "idle-client-blocks",
        ("        pthread_t thread;\n", ""),
        ("errno = pthread_create(&thread, attributes, serve_one,\n"
         "                               (void *)(intptr_t)conn_fd);",
         "(void)attributes;\n        serve_one((void *)(intptr_t)conn_fd);\n"
         "        errno = 0;"),
    ),
    hello(
        "one-goodbye-at-a-time", "a client that does not close blocks the others",
        "hello_server_lets_nobody_wait_for_a_client_that_stays", "idle-client-blocks",
        ("    close_first(conn_fd, PATIENCE);",
         "    static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;\n"
         "    pthread_mutex_lock(&one);\n    close_first(conn_fd, PATIENCE);\n"
         "    pthread_mutex_unlock(&one);"),
    ),
    hello(
        "one-client-only", "only one client ever served",
        "closer_serves_one_client_after_the_other[hello_server]", "one-client-only",
        ("    for (;;) {\n        int conn_fd", "    for (int i = 0; ; i++) {\n"
         "        while (i == 1)\n            pause();\n        int conn_fd"),
    ),
    hello(
        "waits-for-ever-for-the-fin", "a client that never closes costs a thread for good",
        "closer_gives_up_a_client_that_stays[hello_server]", "waits-for-ever",
        ("while ((left = end - now()) > 0)",
         "while ((end = now() + 1000, left = end - now()) > 0)"),
        file="net.c",
    ),
    hello(
        "takes-an-unknown-name-for-a-success", "wrong exit status",
        "closer_says_that_a_name_is_unknown[hello_server]", "lookup-error",
        ("        unknown(address, error);", "        exit(0);"),
        file="net.c",
    ),
    hello(
        "ended-by-a-reset-after-its-fin", "ended by a client's reset",
        "closer_outlives_a_reset_after_its_fin[hello_server]", "reset-ends-server",
        ("            if (ready > 0 && recv(conn_fd, unwanted, sizeof unwanted, 0) <= 0)\n",
         "            ssize_t n = ready > 0 ? recv(conn_fd, unwanted, sizeof unwanted, 0) : 1;\n"
         "            if (n < 0)\n                die(\"recv\");\n            if (n == 0)\n"),
        file="net.c",
    ),
    hello(
        "one-message-for-all", "a buffer that the clients share",
        "hello_server_keeps_messages_apart", "lines-mixed",
        ("    char message[MESSAGE_SIZE];", "    static char message[MESSAGE_SIZE];"),
    ),
    hello(
        "takes-a-reset-for-a-message", "data printed that never came",
        "closer_outlives_a_reset[hello_server]", "messages",
        ("    if (n > 0) {", "    if (n < 0)\n        puts(\"received: \");\n    if (n > 0) {"),
    ),
    hello(
        "leaks-where-sending-fails", "descriptor never closed (leak)",
        "closer_outlives_a_client_that_does_not_wait[hello_server]", "descriptor-leak",
        ('            complain("send");', '            return NULL;'),
    ),
    hello(
        "twenty-clients-at-most", "the next client waits until one of twenty leaves",
        "hello_server_serves_fifty_clients_at_once", "too-few-clients",
        ("#include <pthread.h>", "#include <pthread.h>\n#include <semaphore.h>\n"
         "static sem_t room;"),
        ("    read_options(", "    sem_init(&room, 0, 20);\n    read_options("),
        ("        int conn_fd = next", "        sem_wait(&room);\n        int conn_fd = next"),
        ("    return NULL;", "    sem_post(&room);\n    return NULL;"),
    ),
    hello(
        "spins-for-the-message", "busy waiting",
        "closer_waits_for_its_client[hello_server]", "busy-wait",
        ("sizeof message, 0)", "sizeof message, MSG_DONTWAIT)"),
        ("n < 0 && errno == EINTR", "n < 0 && errno == EAGAIN"),
    ),
    hello(
        "spins-for-the-fin", "busy waiting",
        "closer_reads_on_after_its_fin[hello_server]", "busy-wait",
        ("poll(&wanted, 1, (int)left)", "poll(&wanted, 1, left > 20)"),
        file="net.c",
    ),
    hello(
        "takes-an-interruption-for-an-error", "`EINTR` taken for an error",
        "closer_goes_on_after_being_stopped[hello_server]", "eintr",
        ("    do\n        n = recv(", "    struct timeval hour = { 3600, 0 };\n"
         "    setsockopt(conn_fd, SOL_SOCKET, SO_RCVTIMEO, &hour, sizeof hour);\n"
         "    do\n        n = recv("),
        ("n < 0 && errno == EINTR", "false"),
    ),
    hello(
        "killed-by-sigpipe", "killed by SIGPIPE",
        "closer_outlives_a_client_that_does_not_wait[hello_server]", "sigpipe",
        ("signal(SIGPIPE, SIG_IGN)", "signal(SIGPIPE, SIG_DFL)"),
        file="net.c",
    ),
    hello(
        "ended-by-epipe", "ended by a client that has gone",
        "closer_outlives_a_client_that_does_not_wait[hello_server]", "reset-ends-server",
        ('complain("send")', 'die("send")'),
    ),
    hello(
        "ended-by-a-reset", "ended by a client's reset",
        "closer_outlives_a_reset[hello_server]", "reset-ends-server",
        ('complain("recv")', 'die("recv")'),
    ),
    hello(
        "ends-when-it-is-full", "no descriptor left ends it",
        "hello_server_can_run_out_of_descriptors", "out-of-descriptors",
        ('complain("accept"); ', 'die("accept"); '),
        file="net.c",
    ),
    hello(
        "spins-when-it-is-full", "no descriptor left: busy waiting",
        "hello_server_can_run_out_of_descriptors", "busy-wait",
        ('complain("accept"); ', ""), ("        sleep(1); ", "        "),
        file="net.c",
    ),
    hello(
        "ended-by-sigterm", "wrong exit status",
        "closer_ends_by_a_signal[hello_server-SIGTERM]", "exit-status",
        ("sigaction(SIGTERM, ", "sigaction(SIGUSR1, "),
        file="net.c",
    ),
    hello(
        "usage-ends-with-1", "wrong exit status",
        "closer_explains_wrong_arguments[hello_server-unknown-option]", "usage",
        ("        exit(2);", "        exit(1);"),
        file="net.c",
    ),
    hello(
        "prints-dots", "bytes that are no letters are printed as dots",
        "hello_server_prints_every_byte_value", "messages",
        ("    fwrite(message, 1, len, stdout);\n", "    for (size_t i = 0; i < len; i++)\n"
         "        putchar((message[i] >= ' ' && message[i] <= '~') || message[i] == '\\n'\n"
         "                ? message[i] : '.');\n"),
    ),
]

GOODBYE = "        close_first(conn_fd, PATIENCE);"
IN_A_CHILD = ("        if (fork() == 0) {\n            close_first(conn_fd, PATIENCE);\n"
              "            _exit(0);\n        }\n        close(conn_fd);")
SIGNAL_H = ("#include <errno.h>", "#include <errno.h>\n#include <signal.h>")

PROMPTS = [
    prompt(
        "waits-for-ever-for-the-fin", "a client that never closes keeps all others out",
        "closer_gives_up_a_client_that_stays[prompt_server]", "waits-for-ever",
        ("while ((left = end - now()) > 0)",
         "while ((end = now() + 1000, left = end - now()) > 0)"),
        file="net.c",
    ),
    prompt(
        "counts-rounds-in-a-byte", "no more than 255 rounds",
        "prompt_server_holds_as_many_rounds_as_it_is_told[300]", "first-closer",
        ("for (unsigned long round = 1;", "for (unsigned char round = 1;"),
        ('"round %lu: ', '"round %hhu: '),
    ),
    prompt(
        "at-another-port", "another port than the table's",
        "closer_listens_at_its_own_port[prompt_server]", "wrong-port",
        ('*port = "55555"', '*port = "5555"'),
    ),
    prompt(
        "any-text-for-rounds", "`-n` takes anything",
        "prompt_server_explains_a_wrong_number_of_rounds[x]", "usage",
        ("digits == 0 || digits > 9 || text[digits] != '\\0'", "digits > 9"),
    ),
    prompt(
        "nothing-for-rounds", "`-n` takes nothing",
        "prompt_server_explains_a_wrong_number_of_rounds[empty]", "usage",
        ("digits == 0 || digits > 9", "digits > 9"),
    ),
    prompt(
        "a-negative-number-of-rounds", "`-n` takes -1",
        "prompt_server_explains_a_wrong_number_of_rounds[minus-1]", "usage",
        ("size_t digits = strspn(text,", "size_t digits = strspn(text += *text == '-',"),
    ),
    prompt(
        "surplus-words", "arguments that nobody asked for are ignored",
        "closer_explains_wrong_arguments[prompt_server-surplus-word]", "usage",
        ("if (optind < argc)", "if (false)"),
    ),
    prompt(
        "usage-ends-with-1", "wrong exit status",
        "closer_explains_wrong_arguments[prompt_server-port-80x]", "usage",
        ("    exit(2);", "    exit(1);"),
    ),
    prompt(
        "ignores-n", "`-n` is not obeyed",
        "closer_answers_and_closes_first[prompt_server]", "first-closer",
        ("rounds = count_of(optarg);", "count_of(optarg);"),
    ),
    prompt(
        "no-welcome", "the welcome is missing",
        "closer_answers_and_closes_first[prompt_server]", "no-answer",
        ("if (send_all(conn_fd, welcome, strlen(welcome)) < 0)", "if (false)"),
    ),
    prompt(
        "other-welcome", "the welcome is not the table's",
        "closer_answers_and_closes_first[prompt_server]", "messages",
        ("welcome !!!\\n", "welcome !!!"),
    ),
    prompt(
        "welcome-with-nul", "a fixed length sent instead of the text's",
        "closer_answers_and_closes_first[prompt_server]", "messages",
        ("send_all(conn_fd, welcome, strlen(welcome))",
         "send_all(conn_fd, welcome, sizeof welcome)"),
    ),
    prompt(
        "answers-with-a-newline", "the answer is not the table's",
        "closer_answers_and_closes_first[prompt_server]", "messages",
        ('prompt[] = "Please enter the data:', 'prompt[] = "Please enter the data:\\n'),
    ),
    prompt(
        "reads-16-bytes", "more read than the table says",
        "prompt_server_reads_six_bytes_at_a_time", "messages",
        ("PIECE = 6,", "PIECE = 16,"),
    ),
    prompt(
        "reads-5-bytes", "less read than the table says",
        "prompt_server_reads_six_bytes_at_a_time", "messages",
        ("PIECE = 6,", "PIECE = 5,"),
    ),
    prompt(
        "waits-for-6-bytes", "a read of a fixed length",
        "prompt_server_answers_single_bytes", "no-answer",
        ("sizeof piece, 0)", "sizeof piece, MSG_WAITALL)"),
    ),
    prompt(
        "counts-from-0", "rounds count from 0",
        "prompt_server_reads_six_bytes_at_a_time", "messages",
        ("round = 1; round <= rounds", "round = 0; round < rounds"),
    ),
    prompt(
        "forgets-the-total", "the total is that of the last round",
        "prompt_server_reads_six_bytes_at_a_time", "messages",
        ("total += (unsigned long long)n;", "total = (unsigned long long)n;"),
    ),
    prompt(
        "total-of-all-clients", "the total goes on from client to client",
        "prompt_server_serves_the_client_that_had_to_wait", "messages",
        ("    unsigned long long total = 0;", "    static unsigned long long total;"),
    ),
    prompt(
        "counts-up-to-nul", "data handled as a C string (cut at NUL)",
        "prompt_server_counts_every_byte", "c-string",
        ("        total += (unsigned", "        n = (ssize_t)strnlen(piece, (size_t)n);\n"
         "        total += (unsigned"),
    ),
    prompt(
        "one-round-too-many", "one round too many",
        "prompt_server_holds_as_many_rounds_as_it_is_told[3]", "first-closer",
        ("round <= rounds", "round <= rounds + 1"),
    ),
    prompt(
        "one-round-too-few", "one round too few",
        "prompt_server_holds_as_many_rounds_as_it_is_told[default]", "messages",
        ("round <= rounds", "round < rounds"),
    ),
    prompt(
        "ten-rounds", "another number of rounds than the table's",
        "prompt_server_holds_as_many_rounds_as_it_is_told[default]", "messages",
        ("rounds = 20;", "rounds = 10;"),
    ),
    prompt(
        "a-round-for-the-end-of-file", "the end of file is taken for a message",
        "prompt_server_closes_after_a_client_that_says_nothing", "messages",
        ("        if (n <= 0)", "        if (n < 0)"),
    ),
    prompt(
        "reads-once", "one read, no loop",
        "prompt_server_answers_single_bytes", "messages",
        ("        total += (unsigned", "        round = rounds;\n        total += (unsigned"),
    ),
    prompt(
        "stdout-not-flushed", "stdout not flushed",
        "prompt_server_reads_six_bytes_at_a_time", "stdout-not-flushed",
        ("            || fflush(stdout) == EOF)", "            || ferror(stdout))"),
    ),
    prompt(
        "all-clients-at-once", "not one client after the other",
        "prompt_server_serves_the_client_that_had_to_wait", "messages",
        SIGNAL_H,
        ("        talk(conn_fd, rounds);", "        signal(SIGCHLD, SIG_IGN);\n"
         "        if (fork() > 0) {\n            close(conn_fd);\n            continue;\n"
         "        }\n        talk(conn_fd, rounds);"),
        (GOODBYE, GOODBYE + "\n        _exit(0);"),
    ),
    prompt(
        "one-client-only", "only one client ever served",
        "prompt_server_serves_the_client_that_had_to_wait", "one-client-only",
        (GOODBYE, GOODBYE + "\n        pause();"),
    ),
    prompt(
        "ends-after-one-client", "only one client ever served",
        "closer_serves_one_client_after_the_other[prompt_server]", "one-client-only",
        (GOODBYE, GOODBYE + "\n        exit(0);"),
    ),
    prompt(
        "closes-with-input-unread", "closed with input unread (RST)",
        "closer_takes_more_than_it_asked_for[prompt_server]", "unread-input-rst",
        (GOODBYE, "        close(conn_fd);"),
    ),
    prompt(
        "closes-right-away", "its FIN sent, the connection is given up",
        "closer_reads_on_after_its_fin[prompt_server]", "closes-both",
        (GOODBYE, "        shutdown(conn_fd, SHUT_WR);\n        close(conn_fd);"),
    ),
    prompt(
        "waits-for-the-client-to-close", "the client closes first",
        "closer_answers_and_closes_first[prompt_server]", "first-closer",
        (GOODBYE, "        char rest[1000];\n"
         "        while (recv(conn_fd, rest, sizeof rest, 0) > 0)\n            ;\n" + GOODBYE),
    ),
    prompt(
        "linger-0", "`SO_LINGER` 0 (RST)",
        "closer_answers_and_closes_first[prompt_server]", "linger-rst",
        (GOODBYE, LINGER_0 + "        close(conn_fd);"),
    ),
    prompt(
        "resets-at-the-clients-end-of-file", "`SO_LINGER` 0 (RST)",
        "prompt_server_closes_after_a_client_that_says_nothing", "linger-rst",
        ("            return;                     /* end of file, or a reset */",
         "            {\n" + LINGER_0 + "            close(conn_fd);\n            return;\n"
         "            }"),
    ),
    prompt(
        "never-closes", "descriptor never closed (no FIN)",
        "closer_keeps_nothing_of_its_clients[prompt_server]", "descriptor-leak",
        (GOODBYE, ""),
    ),
    prompt(
        "shuts-down-but-never-closes", "descriptor never closed (leak)",
        "closer_keeps_nothing_of_its_clients[prompt_server]", "descriptor-leak",
        (GOODBYE, "        shutdown(conn_fd, SHUT_WR);"),
    ),
    prompt(
        "leaves-zombies", "zombie children",
        "closer_keeps_nothing_of_its_clients[prompt_server]", "zombie-children",
        (GOODBYE, IN_A_CHILD),
    ),
    prompt(
        "leaves-a-child", "left-over child",
        "closer_ends_while_its_client_lingers[prompt_server]", "left-over-process",
        SIGNAL_H,
        (GOODBYE, "        signal(SIGCHLD, SIG_IGN);\n" + IN_A_CHILD),
    ),
    prompt(
        "no-reuseaddr", "no `SO_REUSEADDR`",
        "closer_can_be_started_again_at_once[prompt_server]", "no-reuseaddr",
        ("SOL_SOCKET, SO_REUSEADDR,", "SOL_SOCKET, SO_KEEPALIVE,"),
        file="net.c",
    ),
    prompt(
        "spins-for-data", "busy waiting",
        "closer_waits_for_its_client[prompt_server]", "busy-wait",
        ("sizeof piece, 0)", "sizeof piece, MSG_DONTWAIT)"),
        ("n < 0 && errno == EINTR", "n < 0 && errno == EAGAIN"),
    ),
    prompt(
        "looks-twenty-times-a-second", "busy waiting: a timeout of 50 ms in a loop",
        "closer_waits_for_its_client[prompt_server]", "busy-wait",
        ("        do\n            n = recv(", "        struct timeval tick = { 0, 50000 };\n"
         "        setsockopt(conn_fd, SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof tick);\n"
         "        do\n            n = recv("),
        ("n < 0 && errno == EINTR", "n < 0 && (errno == EINTR || errno == EAGAIN)"),
    ),
    prompt(
        "takes-an-interruption-for-an-error", "`EINTR` taken for an error",
        "closer_goes_on_after_being_stopped[prompt_server]", "eintr",
        ("        do\n            n = recv(", "        struct timeval hour = { 3600, 0 };\n"
         "        setsockopt(conn_fd, SOL_SOCKET, SO_RCVTIMEO, &hour, sizeof hour);\n"
         "        do\n            n = recv("),
        ("n < 0 && errno == EINTR", "n < -1"),
    ),
    prompt(
        "killed-by-sigpipe", "killed by SIGPIPE",
        "closer_outlives_a_client_that_does_not_wait[prompt_server]", "sigpipe",
        ("signal(SIGPIPE, SIG_IGN)", "signal(SIGPIPE, SIG_DFL)"),
        file="net.c",
    ),
    prompt(
        "ended-by-epipe", "ended by a client that has gone",
        "closer_outlives_a_client_that_does_not_wait[prompt_server]", "reset-ends-server",
        ("strlen(prompt)) < 0) {\n            complain(",
         "strlen(prompt)) < 0) {\n            die("),
    ),
    prompt(
        "ended-by-a-reset", "ended by a client's reset",
        "closer_outlives_a_reset[prompt_server]", "reset-ends-server",
        ('complain("recv")', 'die("recv")'),
    ),
    prompt(
        "does-not-end-while-its-client-lingers", "SIGTERM does not end it within a second",
        "closer_ends_while_its_client_lingers[prompt_server]", "slow-end",
        SIGNAL_H,
        (GOODBYE, "        sigset_t set;\n        sigemptyset(&set);\n"
         "        sigaddset(&set, SIGTERM);\n        sigprocmask(SIG_BLOCK, &set, NULL);\n"
         + GOODBYE + "\n        sigprocmask(SIG_UNBLOCK, &set, NULL);"),
    ),
    prompt(
        "ends-with-1", "wrong exit status",
        "closer_ends_by_a_signal[prompt_server-SIGINT]", "exit-status",
        ("    _exit(0);", "    _exit(1);"),
        file="net.c",
    ),
    prompt(
        "counts-1-byte", "a singular of its own",
        "prompt_server_counts_every_byte", "messages",
        ('"round %lu: %zd bytes, %llu in all\\n", round, n, total',
         '"round %lu: %zd byte%s, %llu in all\\n", round, n, n == 1 ? "" : "s", total'),
    ),
]

KNOWN_WRONG = HELLOS + PROMPTS
