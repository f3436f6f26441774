/*
 * refuse.h - system calls that no submission has a use for, refused from now on.
 *
 * They would get round what bounds a sandbox: namespaces of its own, in which a program is
 * root and mounts what it likes; memory that is in no process's (memfd_create); calls that
 * are not seen by who watches (io_uring); parts of the kernel that only attackers reach.
 * setsid() does nothing and says that all is well: the kernel shares out processor time among
 * sessions first (autogroups, sched(7)), so that a thousand processes of one session take no
 * more from all others than one does.
 */
#ifndef REFUSE_H
#define REFUSE_H

/* Holds for this process and all it starts. 0, or -1 with errno. */
int refuse_calls(void);

#endif
