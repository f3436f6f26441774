/*
 * fetch - one transfer: opens a data connection, gives the command, moves the
 * bytes, waits for the reply that tells whether they are all there.
 *
 * Each returns false, and has said why on stderr, if that failed. The session
 * can go on unless the control connection is lost.
 */
#ifndef FETCH_H
#define FETCH_H

#include <stdbool.h>

#include "control.h"

/* Saves the server's file REMOTE as LOCAL. */
bool get_file(struct control *control, const char *remote, const char *local);

/* Stores the file LOCAL as REMOTE at the server. */
bool put_file(struct control *control, const char *local, const char *remote);

/* Prints the names of the server's files to stdout. */
bool list_names(struct control *control);

#endif
