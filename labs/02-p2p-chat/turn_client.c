/*
 * turn_client - the other side of a conversation in turns; it begins.
 *
 * Run it:   ./turn_client [-p PORT] [HOST]           (127.0.0.1, port 2018)
 *
 * You see:  your line, the server's line, and so on
 *
 * On the wire: as turn_server. The line `exit`, or the end of stdin, ends it
 * and is not sent: what the server gets is our FIN.
 */
#include <stdlib.h>

#include "lines.h"
#include "net.h"

const char program[] = "turn_client";

/* Speaks and listens in turn, until one side has had enough. */
static void converse(int conn_fd, FILE *peer)
{
    struct line line = { .text = NULL };

    /* STEP 2: first speak, then hear. If both sides began with hearing, both
     * would wait for ever: who speaks first is part of a protocol. */
    while (read_line(stdin, "stdin", &line) && !is_word(&line, "exit")) {
        send_line(conn_fd, &line);
        if (!read_line(peer, "recv", &line))
            break;
        print_line(&line);
    }
    /* END STEP 2; stub:
    (void)conn_fd;
    (void)peer; */

    free(line.text);
}

int main(int argc, char *argv[])
{
    const char *host = "127.0.0.1", *port = "2018";

    client_options(argc, argv, &host, &port);
    int conn_fd = connect_to(host, port);

    FILE *peer = fdopen(conn_fd, "r");
    if (peer == NULL)
        die("fdopen");
    converse(conn_fd, peer);
    hang_up(conn_fd);
    return 0;
}
