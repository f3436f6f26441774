/*
 * turn_server - one side of a conversation in turns, a line each.
 *
 * Run it:   ./turn_server [-a ADDRESS] [-p PORT]     (127.0.0.1, port 2018)
 *           ./turn_client                         in a second terminal
 *
 * You see:  listening on 127.0.0.1 port 2018
 *           the client's line, and then it is your turn; and so on
 *
 * On the wire: lines as they were typed, the client's first. The server ends
 * it when the client has said `stop`, or at the end of stdin (Ctrl-D).
 *
 * While it waits for the peer it does not hear you, and while it waits for
 * you it does not hear the peer: not a second line, not even that the peer
 * has left. That is why turns are not enough; server does it better.
 */
#include <stdlib.h>
#include <unistd.h>

#include "lines.h"
#include "net.h"

const char program[] = "turn_server";

/* Listens and answers in turn, until one side has had enough. */
static void converse(int conn_fd, FILE *peer)
{
    struct line line = { .text = NULL };

    /* STEP 1: first hear, then speak. */
    while (read_line(peer, "recv", &line)) {
        print_line(&line);
        if (is_word(&line, "stop") || !read_line(stdin, "stdin", &line))
            break;
        send_line(conn_fd, &line);
    }
    /* END STEP 1; stub:
    (void)conn_fd;
    (void)peer; */

    free(line.text);
}

int main(int argc, char *argv[])
{
    const char *address = "127.0.0.1", *port = "2018";

    server_options(argc, argv, &address, &port);
    int listen_fd = start_server(address, port);
    int conn_fd = next_client(listen_fd, false);
    close(listen_fd);                   /* it is a conversation of two */

    FILE *peer = fdopen(conn_fd, "r");
    if (peer == NULL)
        die("fdopen");
    converse(conn_fd, peer);
    hang_up(conn_fd);
    return 0;
}
