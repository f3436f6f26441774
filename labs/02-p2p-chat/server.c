/*
 * server - waits for one peer and chats with it, both ways at once.
 *
 * Run it:   ./server [-a ADDRESS] [-p PORT]      (127.0.0.1, port 5188)
 *           ./client                             in a second terminal
 *
 * You see:  listening on 127.0.0.1 port 5188
 *           connection from 127.0.0.1 port 39870
 *           what the peer types; type yourself, Ctrl-D when you are done
 *           peer closed
 *
 * On the wire: what is typed, as it comes. Each side's FIN says that it has
 * nothing more to say; the one whose stdin ends first sends the first.
 *
 * chat.c is the conversation, the same for both sides.
 */
#include <unistd.h>

#include "chat.h"
#include "net.h"

const char program[] = "server";

int main(int argc, char *argv[])
{
    const char *address = "127.0.0.1", *port = "5188";

    server_options(argc, argv, &address, &port);
    int listen_fd = start_server(address, port);
    int conn_fd = next_client(listen_fd, true);

    /* STEP 12: stop listening. Else the kernel would go on connecting peers
     * to us, and they would wait for an answer that never comes. */
    if (close(listen_fd) < 0)
        complain("close");
    /* END STEP 12; silent */

    chat(conn_fd);
    return 0;
}
