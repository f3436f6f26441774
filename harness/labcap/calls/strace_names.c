/* strace_names.c - see strace_names.h. */
#include "strace_names.h"

#include <stdlib.h>
#include <string.h>

#include "strace_text.h"

/* Sorted, but for what is no call. */
static const char *const names[NAMES] = {
    "accept", "accept4", "bind", "clone", "clone3", "close", "close_range", "connect", "dup",
    "dup2", "dup3", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "execve", "exit",
    "exit_group", "fcntl", "fork", "getpeername", "getsockname", "getsockopt", "listen", "poll",
    "ppoll", "pselect6", "read", "readv", "recv", "recvfrom", "recvmmsg", "recvmsg", "select",
    "send", "sendfile", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown", "socket",
    "splice", "vfork", "write", "writev", "signal", "gone"};

const char *traced_name(const struct traced_call *call)
{
    return names[call->name];
}

static int compare_names(const void *key, const void *name)
{
    const struct span *s = key;
    const char *other = *(const char *const *)name;
    int order = strncmp(s->at, other, s->length);

    return order != 0 ? order : other[s->length] == '\0' ? 0 : -1;
}

enum traced_name traced_find(struct span name)
{
    const char *const *found = bsearch(&name, names, NAME_SIGNAL, sizeof names[0], compare_names);

    return found != NULL ? (enum traced_name)(found - names) : NAMES;
}

bool traced_of_interest(enum traced_name name, struct span arguments)
{
    int64_t fd;
    struct span about;

    if (name == NAMES)
        return false;
    if (name != NAME_READ && name != NAME_WRITE && name != NAME_READV && name != NAME_WRITEV &&
        name != NAME_CLOSE && name != NAME_FCNTL)
        return true;
    if (!text_descriptor(&arguments, &fd, &about))
        return false;
    return !text_no_socket(about) || (fd <= 2 && name != NAME_CLOSE && name != NAME_FCNTL);
}
