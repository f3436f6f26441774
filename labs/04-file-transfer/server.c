/*
 * server - serves the files of a folder: FTP, a subset of RFC 959 and 2428.
 *
 * Run it:   ./server [-a ADDRESS] [-p PORT] [-u USER:PASSWORD] [-d FOLDER]
 *                                                (127.0.0.1, port 2121)
 *           curl ftp://127.0.0.1:2121/           in a second terminal
 *
 * You see:  listening on 127.0.0.1 port 2121
 *
 * On the wire: a control connection for each client, with commands and
 * replies; a data connection for each file or list, with nothing but its
 * bytes. Without -u everybody may read, as user `anonymous`, and nobody may
 * write. With -u only that user is let in, and may do both. The password goes
 * over the network as it is, and whoever is on this host can see it in `ps`.
 *
 * A process for each client, as lab 01's server_fork: children.c keeps count of
 * them, session.c is what each of them does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "children.h"
#include "files.h"
#include "net.h"
#include "session.h"

const char program[] = "server";

/* There is no place for this client, or no process. It gets to know why. */
static void turn_away(int conn_fd)
{
    static const char full[] = "421 Too many clients, come back later.\r\n";

    complain("fork");
    /* Never waits: the buffer of a new connection has room for it. */
    if (send(conn_fd, full, sizeof full - 1, MSG_DONTWAIT) < 0)
        complain("send");
}

_Noreturn static void serve(int listen_fd, const struct served *served)
{
    for (;;) {
        struct sockaddr_storage peer_addr;
        int conn_fd = accept_client(listen_fd, &peer_addr), place;

        /* STEP 16: a process for each client, as in lab 01. Both have the
         * connection now, and it ends only when both have closed it. */
        pid_t child = fork_child(&peer_addr, &place);
        if (child == 0) {
            close(listen_fd);
            serve_client(conn_fd, served);
            _exit(0);
        }
        if (child < 0)
            turn_away(conn_fd);
        if (close(conn_fd) < 0)
            complain("close");
        /* END STEP 16; silent; stub:
        (void)place;
        (void)turn_away;
        serve_client(conn_fd, served); */
    }
}

_Noreturn static void usage(void)
{
    fprintf(stderr, "usage: %s [-a ADDRESS] [-p PORT] [-u USER:PASSWORD] "
                    "[-d FOLDER]\n", program);
    exit(2);
}

/* USER:PASSWORD: the first colon ends the name, the password may have more. */
static void read_account(char *text, struct served *served)
{
    char *colon = strchr(text, ':');

    if (colon == NULL || colon == text)
        usage();
    *colon = '\0';
    served->user = text;
    served->password = colon + 1;
}

int main(int argc, char *argv[])
{
    const char *address = "127.0.0.1", *port = "2121", *folder = ".";
    struct served served = { -1, NULL, NULL };
    int option;

    opterr = 0;                         /* our usage line says it all */
    while ((option = getopt(argc, argv, "a:p:u:d:")) != -1) {
        if (option == 'a')
            address = optarg;
        else if (option == 'p' && is_port(optarg))
            port = optarg;
        else if (option == 'u')
            read_account(optarg, &served);
        else if (option == 'd')
            folder = optarg;
        else
            usage();
    }
    if (optind < argc)
        usage();

    keep_standard_fds();
    ignore_sigpipe();
    served.folder = open_folder(folder);
    if (served.folder < 0)
        die(folder);

    int listen_fd = listen_on(address, port);
    watch_children();
    print_start_line(listen_fd);
    serve(listen_fd, &served);
}
