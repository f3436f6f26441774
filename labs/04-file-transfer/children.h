/*
 * children - a process for each client, in a server that has many. It knows
 * them all: no more than so many at once, none stays when it has ended, and
 * all end with the server.
 */
#ifndef CHILDREN_H
#define CHILDREN_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

enum {
    MOST_CHILDREN = 200,
    MOST_OF_A_HOST = 150    /* so that one host alone cannot have all places */
};

/* From now on SIGINT and SIGTERM end all children and then us, status 0. */
void watch_children(void);

/* As fork(), for CLIENT; in the parent PLACE is the child's, from 0 on, until
 * it has ended. Fails with EUSERS where there are too many. */
pid_t fork_child(const struct sockaddr_storage *client, int *place);

bool is_running(int place);

#endif
