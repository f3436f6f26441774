/* Hears the peer at all times, also that it has gone, and speaks only in its turn. */
#include "setup.h"

#include <poll.h>

struct queue {
    char *data;
    size_t used, size;
    bool ended;
};

static void take(struct queue *queue, int fd, const char *what)
{
    if (queue->size - queue->used < 1000) {
        queue->size += 100000;
        if ((queue->data = realloc(queue->data, queue->size)) == NULL)
            fail("memory");
    }
    ssize_t n = read(fd, queue->data + queue->used, queue->size - queue->used);
    if (n < 0 && errno != EINTR)
        fail(what);
    queue->ended = n == 0;
    queue->used += n > 0 ? (size_t)n : 0;
}

/* Returns the length of the line at the queue's front, also of one that its end has cut; or 0. */
static size_t line_in(const struct queue *queue)
{
    char *newline = queue->used > 0 ? memchr(queue->data, '\n', queue->used) : NULL;

    if (newline != NULL)
        return (size_t)(newline - queue->data) + 1;
    return queue->ended ? queue->used : 0;
}

/* Writes the LEN bytes at the queue's front and takes them away; returns whether they are WORD. */
static bool pass(struct queue *queue, size_t len, int fd, bool ended, const char *word,
                 const char *what)
{
    size_t wordlen = strlen(word);
    bool whole = queue->data[len - 1] == '\n';
    bool found = len - whole == wordlen && memcmp(queue->data, word, wordlen) == 0;

    for (size_t done = 0; done < len && !(found && ended); ) {
        ssize_t n = write(fd, queue->data + done, len - done);
        if (n < 0)
            fail(what);
        done += (size_t)n;
    }
    if (ended && !whole && !found && write(fd, "\n", 1) < 0)
        fail(what);
    queue->used -= len;
    memmove(queue->data, queue->data + len, queue->used);
    return found;
}

/* The conversation, until somebody has ended it. */
static void talk(int conn_fd)
{
    struct queue typed = { 0 }, heard = { 0 };
    bool speaking = !is_server();
    size_t len;

    for (;;) {
        if (speaking && (len = line_in(&typed)) > 0) {
            if (pass(&typed, len, conn_fd, true, is_server() ? "\n" : "exit", "send"))
                return;
            speaking = false;
        } else if (!speaking && (len = line_in(&heard)) > 0) {
            if (pass(&heard, len, STDOUT_FILENO, false, is_server() ? "stop" : "\n", "stdout"))
                return;
            speaking = true;
        } else if (heard.ended || (speaking && typed.ended)) {
            return;
        } else {
            struct pollfd fds[] = { { speaking ? STDIN_FILENO : -1, POLLIN, 0 },
                                    { conn_fd, POLLIN, 0 } };
            if (poll(fds, 2, -1) < 0)
                continue;
            if (fds[1].revents != 0)
                take(&heard, conn_fd, "recv");
            if (fds[0].revents != 0)
                take(&typed, STDIN_FILENO, "stdin");
        }
    }
}

int main(int argc, char *argv[])
{
    int conn_fd = open_connection(argc, argv);
    char rest[4096];

    talk(conn_fd);
    shutdown(conn_fd, SHUT_WR);
    while (read(conn_fd, rest, sizeof rest) > 0)
        ;
    return 0;
}
