/* A thread for each client; line and file leave together, corked, by sendfile(). */
#include "send_setup.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/sendfile.h>

static struct offer offer;

static void *serve(void *argument)
{
    int conn_fd = (int)(long)argument;
    off_t offset = 0;
    char line[300];

    setsockopt(conn_fd, IPPROTO_TCP, TCP_CORK, &(int){ 1 }, sizeof(int));
    snprintf(line, sizeof line, "%s\n", offer.name);
    if (put(conn_fd, line, strlen(line)))
        while (sendfile(conn_fd, offer.file_fd, &offset, 1 << 20) > 0)
            ;
    say_goodbye(conn_fd);
    return NULL;
}

static void *welcome(void *unused)
{
    pthread_t thread;

    for (;;) {
        long conn_fd = accept(offer.listen_fd, NULL, NULL);
        if (conn_fd >= 0 && pthread_create(&thread, NULL, serve, (void *)conn_fd) == 0)
            pthread_detach(thread);
    }
    return unused;
}

/* The first thread waits for a signal, which no other takes. */
int main(int argc, char *argv[])
{
    sigset_t endings;
    pthread_t thread;
    int number;

    sigemptyset(&endings);
    sigaddset(&endings, SIGINT);
    sigaddset(&endings, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &endings, NULL);
    offer = open_offer(argc, argv);
    if (pthread_create(&thread, NULL, welcome, NULL) != 0)
        refuse("no thread");
    sigwait(&endings, &number);
    return 0;
}
