/*
 * refuse.h - system calls that no submission has a use for, refused from now on.
 *
 * They would get round what bounds a sandbox: namespaces of its own, in which a program is
 * root and mounts what it likes; calls that are not seen by who watches (io_uring); parts of
 * the kernel that only attackers reach.
 *
 * setsid() and memfd_create() wait for leave (seccomp_unotify(2)). The kernel shares out
 * processor time among sessions first (autogroups, sched(7)): a thousand processes of one
 * session take no more from all others than one does, a thousand sessions take nearly all,
 * too much for who only looks now and then to come to it. Memory of a memfd is in no process's.
 */
#ifndef REFUSE_H
#define REFUSE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * From now on this process and all it starts wait for let_go_on() in setsid() and
 * memfd_create(). The descriptor for it, close-on-exec, which poll(2) finds readable when one
 * waits; or -1 where the kernel has none: they do not wait then.
 */
int make_ask(void);

struct question {
    uint64_t id;
    bool session; /* it is setsid(), else memfd_create() */
};

/* The next question of FD, where there is one. Whether there was. */
bool take_question(int fd, struct question *question);

/* The call that waits is done. */
void let_go_on(int fd, const struct question *question);

/* Holds for this process and all it starts. 0, or -1 with errno. */
int refuse_calls(void);

#endif
