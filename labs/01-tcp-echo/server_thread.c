/*
 * server_thread - TCP echo for many clients at once, a thread for each.
 *
 * Run it:   ./server_thread [-a ADDRESS] [-p PORT]       (port 4321)
 *           ./client                             in several terminals
 *           ps -T -C server_thread               one line for each client
 *
 * You see and on the wire: as server_fork.
 *
 * New here: pthread_create() in place of fork(). Threads share everything,
 * the descriptors too: one close() is enough, and one wrong pointer can hurt
 * all clients. A thread costs less memory than a process and starts sooner.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <unistd.h>

#include "echo.h"
#include "net.h"

const char program[] = "server_thread";

enum { STACK_SIZE = 256 * 1024 };       /* in place of the usual 8 MiB */

/* The thread's life: one client, then the end. */
static void *serve_one(void *argument)
{
    int conn_fd = (int)(intptr_t)argument;

    echo(conn_fd);
    if (close(conn_fd) < 0)
        complain("close");
    return NULL;
}

static void serve(int listen_fd, const pthread_attr_t *attributes)
{
    for (;;) {
        int conn_fd = next_client(listen_fd);

        /* STEP 23: start a thread and give it the descriptor itself. The
         * address of conn_fd would not do: we overwrite it with the next
         * client's, perhaps before the thread has looked. */
        pthread_t thread;
        errno = pthread_create(&thread, attributes, serve_one,
                               (void *)(intptr_t)conn_fd);
        if (errno != 0) {
            complain("pthread_create"); /* this client is turned away */
            close(conn_fd);
        }
        /* END STEP 23; stub:
        (void)attributes;
        serve_one((void *)(intptr_t)conn_fd); */
    }
}

int main(int argc, char *argv[])
{
    const char *address = "127.0.0.1", *port = "4321";
    pthread_attr_t attributes;

    read_options(argc, argv, &address, &port);
    int listen_fd = start_server(address, port);

    if ((errno = pthread_attr_init(&attributes)) != 0)
        die("pthread_attr_init");

    /* STEP 24: leave nothing behind. A thread that has ended keeps its stack
     * until somebody joins it; a detached one does not. */
    errno = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (errno != 0)
        die("pthread_attr_setdetachstate");
    /* END STEP 24; silent */

    if ((errno = pthread_attr_setstacksize(&attributes, STACK_SIZE)) != 0)
        die("pthread_attr_setstacksize");
    serve(listen_fd, &attributes);
}
