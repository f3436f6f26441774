/*
 * client - chats with a server, both ways at once.
 *
 * Run it:   ./client [-p PORT] [HOST]            (127.0.0.1, port 5188)
 *
 * You see:  what the peer types; type yourself, Ctrl-D when you are done
 *           peer closed
 *
 * On the wire: as server. Once connected, there is no client and no server
 * any more: TCP is the same in both directions, and so is chat.c.
 */
#include "chat.h"
#include "net.h"

const char program[] = "client";

int main(int argc, char *argv[])
{
    const char *host = "127.0.0.1", *port = "5188";

    client_options(argc, argv, &host, &port);
    chat(connect_to(host, port));
    return 0;
}
