/*
 * server - sends back every byte that it receives: TCP echo (RFC 862).
 *
 * Run it:   ./server [-a ADDRESS] [-p PORT]      (127.0.0.1, port 4321)
 *           ./client -m hello                    in a second terminal
 *
 * You see:  listening on 127.0.0.1 port 4321
 *           connection from 127.0.0.1 port 39870
 *
 * On the wire: no header, no end mark. The client's bytes come in, the same
 * bytes go out; the client's FIN ends the connection.
 *
 * One client is served after the other. The next one waits in the kernel's
 * queue, already connected, until its turn comes.
 *
 * net.c makes the listening socket, echo.c serves a client.
 */
#include <unistd.h>

#include "echo.h"
#include "net.h"

const char program[] = "server";

/* Serves one client after the other, for ever. */
static void serve(int listen_fd)
{
    for (;;) {
        int conn_fd = next_client(listen_fd);

        echo(conn_fd);

        /* STEP 8: close. The client gets our FIN, its end of file; without
         * it, it would wait for ever and we would run out of descriptors. */
        if (close(conn_fd) < 0)
            complain("close");
        /* END STEP 8; silent */
    }
}

int main(int argc, char *argv[])
{
    const char *address = "127.0.0.1", *port = "4321";

    read_options(argc, argv, &address, &port);
    serve(start_server(address, port));
}
