/*
 * hello_server - says hello to each client and hangs up.
 *
 * Run it:   ./hello_server [-a ADDRESS] [-p PORT]        (port 8000)
 *           ncat 127.0.0.1 8000                  type a line
 *
 * You see:  listening on 127.0.0.1 port 8000
 *           connection from 127.0.0.1 port 39870
 *           received: what you typed
 *
 * On the wire: the first bytes that come are the message, whatever they are;
 * `Hello, you are connected!` and a newline is the answer; then comes our
 * FIN, before the client's.
 *
 * New here: the server closes first. So its side keeps the TIME-WAIT, and it
 * must take care not to reset the connection: the client may still be
 * talking.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

const char program[] = "hello_server";

enum {
    MESSAGE_SIZE = 4095,
    PATIENCE = 10                       /* seconds for the client's FIN */
};

static const char answer[] = "Hello, you are connected!\n";

/* One message for each line, also when two threads print at once. */
static void print_message(const char *message, size_t len)
{
    flockfile(stdout);
    fputs("received: ", stdout);
    fwrite(message, 1, len, stdout);
    if (message[len - 1] != '\n')
        putchar('\n');
    if (fflush(stdout) == EOF)
        complain("stdout");
    funlockfile(stdout);
}

/* The thread's life: one client, one message, one answer. */
static void *serve_one(void *argument)
{
    int conn_fd = (int)(intptr_t)argument;
    char message[MESSAGE_SIZE];
    ssize_t n = 0;

    /* STEP 29: read once, print it and answer. How much one recv() gives is
     * chance: what the client sent in one send(), or a part, or two of them.
     * A message that must be whole needs an end mark or a length. */
    do
        n = recv(conn_fd, message, sizeof message, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        complain("recv");
    if (n > 0) {
        print_message(message, (size_t)n);
        if (send_all(conn_fd, answer, strlen(answer)) < 0)
            complain("send");
    }
    /* END STEP 29; stub:
    (void)message;
    (void)n;
    (void)print_message;
    (void)answer; */

    close_first(conn_fd, PATIENCE);
    return NULL;
}

static void serve(int listen_fd, const pthread_attr_t *attributes)
{
    for (;;) {
        int conn_fd = next_client(listen_fd);
        pthread_t thread;

        errno = pthread_create(&thread, attributes, serve_one,
                               (void *)(intptr_t)conn_fd);
        if (errno != 0) {
            complain("pthread_create"); /* this client is turned away */
            close(conn_fd);
        }
    }
}

int main(int argc, char *argv[])
{
    const char *address = "127.0.0.1", *port = "8000";
    pthread_attr_t attributes;

    read_options(argc, argv, &address, &port);
    int listen_fd = start_server(address, port);

    if ((errno = pthread_attr_init(&attributes)) != 0)
        die("pthread_attr_init");
    errno = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (errno != 0)
        die("pthread_attr_setdetachstate");
    serve(listen_fd, &attributes);
}
