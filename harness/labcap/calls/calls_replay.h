/* calls_replay.h - the parts of the replay (calls_sockets.h) that call each other. */
#ifndef LABCAP_CALLS_REPLAY_H
#define LABCAP_CALLS_REPLAY_H

#include "calls_sockets.h"

/* The socket behind a descriptor of the thread, as table and -yy tell; NO_SOCKET for others. */
uint32_t replay_socket(struct replay *r, uint32_t thread, int64_t fd, struct span about);

/* A new touch; valid until the next one. */
struct touch *replay_touch(struct replay *r, uint32_t call, uint32_t socket, enum touch_kind kind);

/* What a call does to descriptors when it begins; of those that make some, when it ends. */
void replay_call_begins(struct replay *r, uint32_t call);
void replay_call_ends(struct replay *r, uint32_t call);

/* The call uses a descriptor, or waits for some. */
void replay_use(struct replay *r, uint32_t call);

/* Touches the socket that an argument names; NULL if it names none. */
struct touch *replay_touch_in(struct replay *r, uint32_t call, unsigned argument,
                              enum touch_kind kind);

/* epoll_ctl; and poll, select, epoll_wait, which stand at the sockets that ended them, else at the
 * one that they can only have been for. */
void replay_epoll_changes(struct replay *r, uint32_t call);
void replay_waits(struct replay *r, uint32_t call);

/* Every descriptor from `first` to `last` is closed; `on_exec`: of those that execve closes. */
void replay_close_range(struct replay *r, uint32_t call, int64_t first, int64_t last,
                        bool on_exec);

/* A fork or a new thread; execve; the thread ends, `all`: its whole process, and the last one
 * closes what is open; strace was told that the thread is gone. */
void replay_process_made(struct replay *r, uint32_t call);
void replay_process_executes(struct replay *r, uint32_t call);
void replay_thread_ends(struct replay *r, uint32_t call, bool all);
void replay_thread_gone(struct replay *r, uint32_t call);

#endif
