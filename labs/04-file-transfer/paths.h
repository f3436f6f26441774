/*
 * paths - the folder that a session is in, and the names that count from
 * there. It is the session's, not the process's, and no more than a text.
 */
#ifndef PATHS_H
#define PATHS_H

#include <limits.h>
#include <stdbool.h>

struct session;

/* Makes of NAME a path for files.h, counted from FOLDER, without `.` and `..`
 * whatever NAME is. False, and errno, where it is too long. */
bool path_of(const struct session *session, const char *name,
             char path[PATH_MAX]);

/* The commands. */
void do_cwd(struct session *session, char *name);
void do_cdup(struct session *session, char *argument);
void do_pwd(struct session *session, char *argument);

#endif
