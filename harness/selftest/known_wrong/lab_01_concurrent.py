"""Lab 01: the servers of many clients made wrong: server_fork, server_thread, server_poll."""

from __future__ import annotations

import functools

from known_wrong import KnownWrong

LAB = "01-tcp-echo"
NET, ECHO = "net.c", "echo.c"


def wrong(
    program: str, name: str, fault: str, killed_by: str, cause: str, *edits: tuple[str, str],
    file: str = "", base: str = "",
) -> KnownWrong:
    """A wrong PROGRAM; names are completed with what all of them begin with."""
    test, _, values = killed_by.partition("[")
    test = f"test_server_{test}[{program}" + (f"-{values}" if values else "]")
    return KnownWrong(f"{program}-{name}", fault, program, edits, test, cause, base, file)


forking = functools.partial(wrong, "server_fork")
threaded = functools.partial(wrong, "server_thread")
polling = functools.partial(wrong, "server_poll")

# -- server_fork ----------------------------------------------------------------

WAIT_H = ("#include <sys/prctl.h>",
          "#include <poll.h>\n#include <sys/prctl.h>\n#include <sys/socket.h>\n"
          "#include <sys/wait.h>")
AFTER_FORK = "        /* END STEP 20; "
PARENT_CLOSES = "        if (close(conn_fd) < 0)"
CHILD_ENDS = "    _exit(0);                           /* closes"
PARENTS_DEATH = "PR_SET_PDEATHSIG, SIGTERM"

FORKING = [
    forking(
        "waits-for-its-child", "an idle client blocks the others",
        "serves_others_while_a_client_is_silent", "idle-client-blocks",
        WAIT_H, (AFTER_FORK, "        waitpid(child, NULL, 0);\n" + AFTER_FORK),
    ),
    forking(
        "serves-in-the-parent", "an idle client blocks the others",
        "serves_others_while_a_client_is_silent", "idle-client-blocks",
        ("pid_t child = fork();", "pid_t child = fork() == 0 ? _exit(0), 0 : -1;\n"
         "        echo(conn_fd);"),
    ),
    forking(
        "leaves-zombies", "zombie children",
        "keeps_no_process", "zombie-children",
        ("signal(SIGCHLD, SIG_IGN)", "signal(SIGCHLD, SIG_DFL)"),
    ),
    forking(
        "buries-one-child-a-signal", "zombie children, where several end at once",
        "serves_a_thousand_clients_at_once", "zombie-children",
        WAIT_H,
        ("static void serve(int listen_fd)\n", "static void bury(int number)\n{\n"
         "    waitpid(-1, NULL, WNOHANG);\n    poll(NULL, 0, 10);  /* others end meanwhile */\n"
         "}\n\nstatic void serve(int listen_fd)\n"),
        ("signal(SIGCHLD, SIG_IGN)", "signal(SIGCHLD, bury)"),
    ),
    forking(
        "child-never-ends", "left-over child, which goes on accepting",
        "keeps_no_process", "zombie-children",
        (CHILD_ENDS, "    close(conn_fd);\n    for (;;)\n        pause();\n" + CHILD_ENDS),
    ),
    forking(
        "parent-keeps-the-connection", "the parent holds the descriptor too (no FIN)",
        "closes_each_connection", "shared-descriptor",
        (PARENT_CLOSES, "        if (conn_fd < 0)"),
    ),
    forking(
        "parent-leaks-the-connection", "descriptor never closed (leak)",
        "keeps_no_descriptor", "descriptor-leak",
        WAIT_H, (PARENT_CLOSES, "        if (conn_fd < 0)"),
        (CHILD_ENDS, "    shutdown(conn_fd, SHUT_RDWR);\n" + CHILD_ENDS),
    ),
    forking(
        "children-outlive-sigterm", "left-over child",
        "ends_while_its_client_is_silent[SIGTERM]", "left-over-process",
        (PARENTS_DEATH, "PR_SET_PDEATHSIG, 0"),
    ),
    forking(
        "children-keep-the-port", "left-over child, which holds the listening socket too",
        "ends_with_twenty_clients", "left-over-process",
        (PARENTS_DEATH, "PR_SET_PDEATHSIG, 0"), ("    close(listen_fd);\n", ""),
    ),
    forking(
        "waits-for-children-at-its-end", "SIGTERM does not end it while a client is silent",
        "ends_while_its_client_is_silent[SIGTERM]", "slow-end",
        ("#include <time.h>", "#include <time.h>\n#include <sys/wait.h>"),
        ("    _exit(0);", "    while (wait(NULL) > 0)\n        ;\n    _exit(0);"),
        file=NET,
    ),
    forking(
        "forks-before-it-accepts", "child processes without end",
        "serves_a_thousand_clients_at_once", "too-many-processes",
        ("        int conn_fd = next_client(listen_fd);\n", "        int conn_fd = -1;\n"),
        ("serve_one(listen_fd, conn_fd, parent)",
         "serve_one(listen_fd, next_client(listen_fd), parent)"),
    ),
    forking(
        "so-many-workers", "a pool of processes that does not grow",
        "serves_a_thousand_clients_at_once", "too-few-clients",
        ("SPARE = 4", "SPARE = 100"),
        ("        if (read(busy[0], &one, 1) == 1)\n            missing++;", "        pause();"),
        base="server_fork-prefork",
    ),
    forking(
        "spins-for-bytes", "busy waiting",
        "waits_without_using_the_processor", "busy-wait",
        ("recv(conn_fd, buffer, sizeof buffer, 0)",
         "recv(conn_fd, buffer, sizeof buffer, MSG_DONTWAIT)"),
        ("if (n < 0 && errno == EINTR)", "if (n < 0 && errno == EAGAIN)"),
        file=ECHO,
    ),
    forking(
        "forgets-what-send-did-not-take", "partial `write` not continued",
        "waits_for_a_slow_reader", "partial-write",
        ("        if (send_all(",
         "        if (send(conn_fd, buffer, (size_t)n, MSG_DONTWAIT) >= 0 || errno == EAGAIN)\n"
         "            continue;\n        if (send_all("),
        file=ECHO,
    ),
    forking(
        "gives-up-as-a-child-ends", "`EINTR` of accept(), by SIGCHLD, taken for an error",
        "serves_others_while_a_client_is_silent", "eintr",
        ("#include <unistd.h>\n", "#include <sys/wait.h>\n#include <unistd.h>\n"),
        ("(errno == EINTR || errno == ECONNABORTED)", "errno == ECONNABORTED"),
        ("int next_client(int listen_fd)\n{\n    int conn_fd;\n", "static void bury(int number)\n"
         "{\n    while (waitpid(-1, NULL, WNOHANG) > 0)\n        (void)number;\n}\n\n"
         "int next_client(int listen_fd)\n{\n"
         "    struct sigaction action = { .sa_handler = bury };\n    int conn_fd;\n\n"
         "    sigaction(SIGCHLD, &action, NULL);\n"),
        ('        complain("accept");', '        die("accept");'),
        file=NET,
    ),
    forking(
        "spins-in-each-child", "each child asks again and again for what its client sends",
        "serves_a_thousand_clients_at_once", "busy-wait",
        ("recv(conn_fd, buffer, sizeof buffer, 0)",
         "recv(conn_fd, buffer, sizeof buffer, MSG_DONTWAIT)"),
        ("if (n < 0 && errno == EINTR)", "if (n < 0 && (errno == EINTR || errno == EAGAIN))"),
        file="echo.c",
    ),
]

# -- server_thread ----------------------------------------------------------------

JOINABLE = ("PTHREAD_CREATE_DETACHED", "PTHREAD_CREATE_JOINABLE")
AFTER_CREATE = "        /* END STEP 23; "
AT_ITS_END = "    if (close(conn_fd) < 0)"

THREADED = [
    threaded(
        "joins-at-once", "an idle client blocks the others",
        "serves_others_while_a_client_is_silent", "idle-client-blocks",
        JOINABLE, (AFTER_CREATE, "        pthread_join(thread, NULL);\n" + AFTER_CREATE),
    ),
    threaded(
        "one-lock-for-all", "an idle client blocks the others",
        "serves_others_while_a_client_never_reads", "idle-client-blocks",
        ("    echo(conn_fd);\n", "    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;\n"
         "    pthread_mutex_lock(&lock);\n    echo(conn_fd);\n    pthread_mutex_unlock(&lock);\n"),
    ),
    threaded(
        "never-joined", "a thread that has ended keeps its stack",
        "keeps_nothing_of_many_short_connections", "left-over-thread",
        JOINABLE,
    ),
    threaded(
        "threads-never-end", "a thread stays for each client",
        "keeps_no_process", "left-over-thread",
        ("        complain(\"close\");\n    return NULL;",
         "        complain(\"close\");\n    for (;;)\n        pause();"),
    ),
    threaded(
        "hands-over-an-address", "two threads have the same client, and one client has none",
        "holds_fifty_conversations", "lines-mixed",
        ("/* The thread's life: ", "static pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER;\n\n"
         "/* The thread's life: "),
        ("    int conn_fd = (int)(intptr_t)argument;",
         "    pthread_mutex_lock(&busy);      /* it starts late, */\n"
         "    pthread_mutex_unlock(&busy);\n    int conn_fd = *(int *)argument;"),
        ("    for (;;) {\n        int conn_fd = next_client(listen_fd);\n",
         "    pthread_mutex_lock(&busy);\n    for (int count = 1; ; count++) {\n"
         "        int conn_fd = next_client(listen_fd);\n"
         "        if (count == 2)             /* when there is another client */\n"
         "            pthread_mutex_unlock(&busy);\n"),
        ("                               (void *)(intptr_t)conn_fd);",
         "                               &conn_fd);"),
    ),
    threaded(
        "one-buffer-for-all", "a static buffer that the threads share",
        "keeps_apart_what_clients_send", "lines-mixed",
        ("    char buffer[BUFFER_SIZE];", "    static char buffer[BUFFER_SIZE];"),
        file=ECHO,
    ),
    threaded(
        "never-closes", "descriptor never closed (no FIN)",
        "closes_each_connection", "descriptor-leak",
        (AT_ITS_END, "    if (conn_fd < 0)"),
    ),
    threaded(
        "ends-with-its-first-client", "only one client ever served",
        "serves_one_client_after_the_other", "one-client-only",
        (AT_ITS_END, "    _exit(0);\n" + AT_ITS_END),
    ),
    threaded(
        "ended-by-a-reset", "ended by a client's reset",
        "outlives_a_reset_among_others", "reset-ends-server",
        ('complain("recv")', 'die("recv")'),
        file=ECHO,
    ),
    threaded(
        "killed-by-sigpipe", "killed by SIGPIPE",
        "outlives_a_client_that_does_not_wait", "sigpipe",
        ("signal(SIGPIPE, SIG_IGN)", "signal(SIGPIPE, SIG_DFL)"),
        file=NET,
    ),
    threaded(
        "two-hundred-threads", "a fixed number of clients at once",
        "serves_a_thousand_clients_at_once", "too-few-clients",
        ("        pthread_t thread;", "        static int count;\n        if (count++ == 200) {\n"
         "            close(conn_fd);\n            continue;\n        }\n"
         "        pthread_t thread;"),
    ),
    threaded(
        "ends-without-descriptors", "EMFILE taken for the end",
        "does_with_few_descriptors", "out-of-descriptors",
        ('        complain("accept");', '        die("accept");'),
        file=NET,
    ),
    threaded(
        "asks-again-without-descriptors", "busy waiting, without a descriptor for the next client",
        "does_with_few_descriptors", "busy-wait",
        ("        sleep(1); ", "        usleep(100); "),
        file=NET,
    ),
]

# -- server_poll ----------------------------------------------------------------

BEFORE_SENDING = "    ssize_t sent = send_some("
IS_SERVED = ("            else if (client->rest != NULL ? !send_rest(client)\n"
             "                                          : !echo_some(client))\n"
             "                drop(client);")
NO_DESCRIPTOR = '        complain("accept");\n        set_listening(false);'

POLLING = [
    polling(
        "waits-in-send", "an idle client blocks the others",
        "serves_others_while_a_client_never_reads", "idle-client-blocks",
        ("send(fd, data, len, MSG_DONTWAIT)", "send(fd, data, len, 0)"),
    ),
    polling(
        "waits-in-recv", "an idle client blocks the others",
        "serves_others_while_a_client_is_silent", "idle-client-blocks",
        ("sizeof buffer, MSG_DONTWAIT)", "sizeof buffer, 0)"),
        (IS_SERVED, "            else {\n                while (client->rest ? send_rest(client) "
         ": echo_some(client))\n                    ;\n                drop(client);\n"
         "            }"),
    ),
    polling(
        "forgets-what-send-did-not-take", "partial `write` not continued",
        "waits_for_a_slow_reader", "partial-write",
        ("    if (sent < 0 || sent == n)\n        return sent == n;",
         "    if (sent <= n)\n        return sent >= 0;"),
    ),
    polling(
        "asks-for-both", "busy waiting, while a client does not read",
        "serves_others_while_a_client_never_reads", "busy-wait",
        ("client->fd, EPOLLOUT, client", "client->fd, EPOLLIN | EPOLLOUT, client"),
    ),
    polling(
        "always-asks-to-write", "busy waiting, with nothing to write",
        "waits_without_using_the_processor", "busy-wait",
        ("conn_fd, EPOLLIN, client", "conn_fd, EPOLLIN | EPOLLOUT, client"),
    ),
    polling(
        "looks-with-timeout-0", "busy waiting",
        "waits_without_using_the_processor", "busy-wait",
        ("listening ? -1 : PAUSE", "listening ? 0 : PAUSE"),
    ),
    polling(
        "reads-all-there-is", "memory grows with what a client sends and does not read",
        "spends_bounded_memory_on_a_client_that_never_reads", "memory-grows",
        ("RING = 10000", "RING = 32 << 20"),
        base="server_poll-poll",
    ),
    polling(
        "drops-the-rest-at-the-end-of-file", "what is still to be sent is lost",
        "sends_the_rest_after_the_clients_fin", "lines-lost",
        ("RING = 10000", "RING = 100000"),
        ("    return !c->ended || c->len > 0;", "    return !c->ended;"),
        base="server_poll-poll",
    ),
    polling(
        "one-buffer-for-all", "a buffer that the clients share",
        "keeps_apart_what_clients_send", "lines-mixed",
        ("    client->rest = malloc(len);",
         "    static char shared[BUFFER_SIZE];\n    client->rest = shared;"),
        ("    free(client->rest);\n    free(client);", "    free(client);"),
        ("    free(client->rest);\n    client->rest", "    client->rest"),
    ),
    polling(
        "told-once-reads-once", "one read, where epoll tells of a change only once",
        "echoes_a_big_stream", "partial-write",
        ("        c->start = 0;\n        c->end = (size_t)n;\n    }\n}",
         "        c->start = 0;\n        c->end = (size_t)n;\n"
         "        return send(c->fd, c->buffer, c->end, 0) == n && (c->start = c->end);\n    }\n}"),
        ("char buffer[6000];", "char buffer[100];"),    # there is more in every segment
        base="server_poll-edge_triggered",
    ),
    polling(
        "sends-its-whole-buffer", "`sizeof` sent instead of the bytes read",
        "echoes_a_line", "fixed-length",
        (BEFORE_SENDING, "    n = sizeof buffer;\n" + BEFORE_SENDING),
    ),
    polling(
        "cuts-at-nul", "data handled as a C string (cut at NUL)",
        "echoes_every_byte_value", "c-string",
        (BEFORE_SENDING, "    n = (ssize_t)strnlen(buffer, (size_t)n);\n"
         "    if (n == 0)\n        return true;\n" + BEFORE_SENDING),
    ),
    polling(
        "takes-an-interruption-for-an-error", "`EINTR` taken for an error",
        "goes_on_after_being_stopped", "eintr",
        ("        if (count < 0 && errno != EINTR)", "        if (count < 0)"),
    ),
    polling(
        "killed-by-sigpipe", "killed by SIGPIPE",
        "outlives_a_client_that_does_not_wait", "sigpipe",
        ("signal(SIGPIPE, SIG_IGN)", "signal(SIGPIPE, SIG_DFL)"),
        file=NET,
    ),
    polling(
        "linger-0", "`SO_LINGER` 0 (RST)",
        "echoes_a_line", "linger-rst",
        ("    if (close(client->fd) < 0)", "    struct linger now = { 1, 0 };\n"
         "    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);\n"
         "    if (close(client->fd) < 0)"),
    ),
    polling(
        "never-closes", "descriptor never closed (no FIN)",
        "closes_each_connection", "descriptor-leak",
        ("    if (close(client->fd) < 0)",
         "    if (epoll_ctl(epoll_fd, EPOLL_CTL_DEL, client->fd, NULL) < 0)"),
    ),
    polling(
        "keeps-the-clients-memory", "memory of clients that have gone",
        "keeps_nothing_of_many_short_connections", "memory-grows",
        ("    free(client);\n", ""),
        ("malloc(sizeof *client)", "calloc(1, sizeof *client + BUFFER_SIZE)"),
    ),
    polling(
        "ended-by-a-reset", "ended by a client's reset",
        "outlives_a_reset_among_others", "reset-ends-server",
        ('        complain("recv");', '        die("recv");'),
    ),
    polling(
        "ends-after-its-25th-client", "only so many clients ever served",
        "serves_one_client_after_the_other", "one-client-only",
        ("    free(client);\n", "    free(client);\n    static int served;\n"
         "    if (++served == 25)\n        exit(0);\n"),
    ),
    polling(
        "two-hundred-clients", "a fixed table of clients",
        "serves_a_thousand_clients_at_once", "too-few-clients",
        ("CLIENTS = 4000", "CLIENTS = 200"),
        base="server_poll-bytewise",
    ),
    polling(
        "ends-without-descriptors", "EMFILE taken for the end",
        "does_with_few_descriptors", "out-of-descriptors",
        (NO_DESCRIPTOR, '        die("accept");'),
    ),
    polling(
        "asks-again-without-descriptors", "busy waiting, without a descriptor for the next client",
        "does_with_few_descriptors", "busy-wait",
        (NO_DESCRIPTOR, ""),
    ),
    polling(
        "forgets-who-waits-for-a-descriptor", "no client is accepted after EMFILE",
        "does_with_few_descriptors", "out-of-descriptors",
        ("    set_listening(true);                /* there is room for one again */\n", ""),
        ("listening ? -1 : PAUSE", "-1"),
    ),
    polling(
        "tells-a-port-of-nobody", "another port than the client's is printed",
        "does_with_few_descriptors", "messages",
        ("    print_address(\"connection from\", &peer_addr, len);\n",
         "    ((struct sockaddr_in *)&peer_addr)->sin_port = 1;\n"
         "    print_address(\"connection from\", &peer_addr, len);\n"),
        file=NET,
    ),
]

KNOWN_WRONG = FORKING + THREADED + POLLING

KNOWN_WRONG += [
    KnownWrong(
        f"{program}-linger-0", "`SO_LINGER` 0 (RST)", program,
        (("#include <unistd.h>", "#include <sys/socket.h>\n#include <unistd.h>"),
         (end, "    struct linger now = { 1, 0 };\n"
          "    setsockopt(conn_fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);\n" + end)),
        f"test_server_echoes_a_line[{program}]", "linger-rst")
    for program, end in (("server_fork", "    _exit(0);                           /* closes"),
                         ("server_thread", "    if (close(conn_fd) < 0)\n        complain"))
]
